import type { Client as QStashClient } from "@upstash/qstash";
import { translate } from "../border/engine.ts";

/** Times, in the engine's queries, are milliseconds since 1970. */
export type Query = Readonly<
  Record<string, string | number | boolean | Date | readonly string[] | undefined>
>;

interface Ask {
  readonly method: "GET" | "POST" | "DELETE";
  /** Segments behind `/v2`. */
  readonly path: readonly string[];
  readonly query?: Query;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** The answer has no JSON to read. */
  readonly empty?: boolean;
}

/** A request to the engine's API, whose failures are WorkflowErrors. */
export function ask<Answer>(
  client: QStashClient,
  { method, path, query, headers, body, empty }: Ask,
): Promise<Answer> {
  const request = client.http.request<Answer>({
    path: ["v2", ...path],
    method,
    parseResponseAsJson: !empty,
    ...(query ? { query: toQuery(query) } : {}),
    ...(headers ? { headers: { ...headers } } : {}),
    ...(body === undefined ? {} : { body }),
  });
  return translate(`${method} ${path.join("/")}`, request);
}

/** @throws TypeError for an empty list: it would match nothing, or everything */
function toQuery(query: Query): Record<string, string | number | boolean | Date | string[]> {
  const asked: Record<string, string | number | boolean | Date | string[]> = {};
  for (const [name, value] of Object.entries(query)) {
    if (value === undefined) continue;
    if (isList(value) && value.length === 0)
      throw new TypeError(`The filter ${name} must not be an empty list.`);
    asked[name] = isList(value) ? [...value] : value;
  }
  return asked;
}

function isList(value: unknown): value is readonly string[] {
  return Array.isArray(value);
}
