import type { z } from "zod";
import type { Service } from "./service.ts";

/** JSON Schema of the 2020-12 dialect, as OpenAPI 3.1 has it. */
export type Schema = Readonly<Record<string, unknown>>;

/** A part of a path or of a query: what it looks like, and how it is read. */
export interface Parameter<Value> {
  readonly schema: Schema;
  /** A part of a path is to be read as it was sent, with its escapes. */
  readonly raw?: true;
  /**
   * @param values as often as it is given
   * @throws EngineError `invalid_request` that names it
   */
  readonly read: (values: readonly string[], name: string) => Value;
}

/** By their names. */
export type Parameters = Readonly<Record<string, Parameter<unknown>>>;

/** The values of parameters. */
export type Values<P extends Parameters> = { readonly [Name in keyof P]: ReturnType<P[Name]["read"]> };

/** The body of a request. */
export interface Body<Value> {
  readonly type: "application/json" | "*/*";
  readonly schema?: z.ZodType;
  readonly required: boolean;
  /** @throws EngineError `invalid_request` that names the field; `too_large` for more than the limits */
  readonly read: (
    bytes: Uint8Array,
    service: Pick<Service, "limits" | "trustProxy">,
    head: Head,
  ) => Value | Promise<Value>;
  /** Checks what a caller in this process gives in place of bytes. @throws EngineError as `read` */
  readonly check?: (value: unknown) => Value;
}

/** The answers by status, the usual one first. All routes share their refusals. */
export type Answers = Readonly<Record<number, z.ZodType>>;

/** A value that fits a schema, and that nobody changes. */
export type Output<S extends z.ZodType> = Fixed<z.output<S>>;

type Fixed<Value> = Value extends readonly (infer Item)[]
  ? readonly Fixed<Item>[]
  : Value extends object
    ? { readonly [Name in keyof Value]: Fixed<Value[Name]> }
    : Value;

/** A request as its route has read it. */
export interface Input<P extends Parameters = None, Q extends Parameters = None, B = unknown> extends Origin {
  readonly params: Values<P>;
  readonly query: Values<Q>;
  readonly body: B;
  /** The signal that aborts when the caller no longer waits for the answer. A function, because few routes need a signal. */
  readonly signal?: () => AbortSignal | undefined;
  /** Names in lower case; none unless the route takes some. Options may be parameters of the query too. */
  readonly headers: ReadonlyMap<string, string>;
}

/** The HTTP request, without its body. A caller in this process makes none. */
export interface Head {
  readonly request: Request;
  /** Path and query, as they were sent where that is known. */
  readonly target: string;
}

/** Where a request comes from, and when it came, in milliseconds since 1970. */
export interface Origin {
  readonly callerIp: string;
  readonly now: number;
}

/** One thing that the API can be asked for: all that it takes and answers. */
export interface Route<
  P extends Parameters = Parameters,
  Q extends Parameters = Parameters,
  B = unknown,
  A extends Answers = Answers,
> {
  readonly summary: string;
  /** How its path is shown, where the pattern has a `*`; by these names its parts are read. */
  readonly path?: string;
  /** Alternative paths, each with its meaning. */
  readonly also?: Readonly<Record<string, string>>;
  readonly params?: P;
  /** The query's parameters. Others are refused. */
  readonly query?: Q;
  /** The query isn't the engine's: it belongs to the destination, or to an event. */
  readonly foreignQuery?: true;
  /** Descriptions of the headers, by their names. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Body<B>;
  /** Bytes of the body, where it isn't the limit of every request. */
  bodyLimit?(limits: Service["limits"]): number;
  /** Decides, before the body is read, whether the HTTP request may go on. @throws EngineError */
  admit?(head: Head & Omit<Input<P, Q>, "body">, service: Service): Promise<void>;
  readonly answers: A;
  /** The media type of the usual answer, where it isn't JSON: `handle` returns the response then. */
  readonly media?: string;
  /** Where it isn't the first of the answers. */
  status?(shown: Output<A[keyof A & number]>): keyof A & number;
  /** No token is needed. */
  readonly open?: true;
  /** @throws EngineError */
  handle(
    input: Input<P, Q, B>,
    service: Service,
  ): Output<A[keyof A & number]> | Promise<Output<A[keyof A & number]>>;
}

/** Nothing is declared. */
export type None = Record<never, never>;

/** `ALL`: any verb there is. */
export type Verb = "GET" | "POST" | "PATCH" | "DELETE" | "ALL";

/** By patterns of paths, each in the order in which they are tried, and verbs. */
export type Routes = Readonly<Record<string, Readonly<Partial<Record<Verb, Route>>>>>;

/** Gives a route its declared types. */
export function route<
  P extends Parameters = None,
  Q extends Parameters = None,
  B = undefined,
  const A extends Answers = Answers,
>(declared: Route<P, Q, B, A>): Route<P, Q, B, A> {
  return declared;
}
