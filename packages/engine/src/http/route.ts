import type { z } from "zod";
import type { Sender, Service } from "./service.ts";

/** JSON Schema of the 2020-12 dialect, as OpenAPI 3.1 has it. */
export type Schema = Readonly<Record<string, unknown>>;

/** A part of a path or of a query, with its schema and the function that reads it. */
export interface Parameter<Value> {
  readonly schema: Schema;
  /** `read` gets this part of the path as the client sent it, with its escapes. */
  readonly raw?: true;
  /**
   * @param values all values of the parameter in the request
   * @throws EngineError `invalid_request` that names the parameter
   */
  readonly read: (values: readonly string[], name: string) => Value;
}

/** Parameters by name. */
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
  /**
   * Checks the value that a caller in this process passes instead of bytes. @throws EngineError like `read`
   */
  readonly check?: (value: unknown) => Value;
}

/**
 * The schemas of the answers by status, the usual status first. Errors aren't included: all routes share
 * them.
 */
export type Answers = Readonly<Record<number, z.ZodType>>;

/** A value that matches a schema, deeply readonly. */
export type Output<S extends z.ZodType> = Fixed<z.output<S>>;

type Fixed<Value> = Value extends readonly (infer Item)[]
  ? readonly Fixed<Item>[]
  : Value extends (...args: never) => unknown
    ? Value
    : Value extends object
      ? { readonly [Name in keyof Value]: Fixed<Value[Name]> }
      : Value;

/** A request as its route has read it. */
export interface Input<P extends Parameters = None, Q extends Parameters = None, B = unknown> extends Origin {
  readonly params: Values<P>;
  readonly query: Values<Q>;
  readonly body: B;
  /**
   * The signal that aborts when the caller no longer waits for the answer. A function, because few routes
   * need a signal.
   */
  readonly signal?: () => AbortSignal | undefined;
  /**
   * Headers by name in lower case; empty for a route that declares none. Parameters of the query can set
   * options too.
   */
  readonly headers: ReadonlyMap<string, string>;
}

/** The HTTP request, without its body. Calls from this process have no HTTP request. */
export interface Head {
  readonly request: Request;
  /** Path and query as the client sent them, if the server knows that form. */
  readonly target: string;
}

/** The client's address and token, and the time of the request in milliseconds since 1970. */
export interface Origin {
  readonly callerIp: string;
  readonly sender: Sender;
  /** The last event that a reader of a stream has received. */
  readonly lastEventId?: string | undefined;
  readonly now: number;
}

/** A route of the API: its parameters, its body and its answers. */
export interface Route<
  P extends Parameters = Parameters,
  Q extends Parameters = Parameters,
  B = unknown,
  A extends Answers = Answers,
> {
  readonly summary: string;
  /** The documented path, for a pattern with a `*`. Its names are the names of the path's parameters. */
  readonly path?: string;
  /** Alternative paths, each with its meaning. */
  readonly also?: Readonly<Record<string, string>>;
  readonly params?: P;
  /** The parameters of the query. The engine refuses others. */
  readonly query?: Q;
  /** The engine doesn't read the query: it belongs to the destination, or to an event. */
  readonly foreignQuery?: true;
  /** Descriptions of the headers, by name. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Body<B>;
  /** The largest body in bytes, if it differs from the limit of all requests. */
  bodyLimit?(limits: Service["limits"]): number;
  /** Decides, before the body is read, whether the HTTP request may go on. @throws EngineError */
  admit?(head: Head & Omit<Input<P, Q>, "body">, service: Service): Promise<void>;
  readonly answers: A;
  /** The media type of the usual answer, if it isn't JSON. `handle` then returns the response. */
  readonly media?: string;
  /** Chooses the status of an answer. By default, the first of `answers`. */
  status?(shown: Output<A[keyof A & number]>): keyof A & number;
  /** The route needs no token. */
  readonly open?: true;
  /**
   * Answers an HTTP request in place of `handle`, where the answer may be too large for memory. @throws EngineError
   */
  respond?(input: Input<P, Q, B>, service: Service): Promise<Response>;
  /** @throws EngineError */
  handle(
    input: Input<P, Q, B>,
    service: Service,
  ): Output<A[keyof A & number]> | Promise<Output<A[keyof A & number]>>;
}

/** The type of a route without parameters. */
export type None = Record<never, never>;

/** An HTTP verb; `ALL` matches any verb. */
export type Verb = "GET" | "POST" | "PATCH" | "DELETE" | "ALL";

/** Routes by pattern and verb. The engine tries the patterns in this order. */
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
