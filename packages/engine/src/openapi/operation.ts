import type { Schema } from "./schema.ts";

export type Verb = "GET" | "POST" | "DELETE" | "PATCH" | "PUT";

/** One thing that the API can be asked for. */
export interface Operation {
  readonly summary: string;
  /** Where the route's own pattern doesn't say it. */
  readonly path?: string;
  readonly query?: Readonly<Record<string, Schema>>;
  /** Whether the headers that say how to deliver are heeded. */
  readonly options?: boolean;
  readonly body?: Body;
  /** By status. Refusals are described for all at once. */
  readonly answers: Readonly<Record<number, Schema>>;
  /** Whether no token is needed. */
  readonly open?: boolean;
}

export interface Body {
  readonly type: "application/json" | "*/*";
  readonly schema?: Schema;
  readonly required?: boolean;
}

/** By verb and route: the ones that a route serves. */
export type Operations = Readonly<Record<`${Verb} /${string}`, Operation | readonly Operation[]>>;

/** What is carried as it is. */
export const payload: Body = { type: "*/*" };

export function json(schema: Schema, required = true): Body {
  return { type: "application/json", schema, required };
}
