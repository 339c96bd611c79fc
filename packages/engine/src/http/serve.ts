import { PREFIX } from "@perdure/core/protocol";
import type { Context, Handler } from "hono";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import { rawDestination } from "../domain/destination.ts";
import { invalid } from "../domain/problem.ts";
import { readBody } from "./body.ts";
import { decode } from "./parameters.ts";
import type { Input, Parameters, Route, Values } from "./route.ts";
import type { Env, Service } from "./service.ts";

/** In-process callers have no address. */
const LOCAL = "127.0.0.1";
const OWN = PREFIX.own.toLowerCase();
const TOKEN = "qstash_token";

/** Reads a request as the route declares it, and answers. */
export function serve(pattern: string, route: Route, service: Service): Handler<Env> {
  const usual = Number(Object.keys(route.answers)[0]);
  return async (c) => {
    const shown = await route.handle(await readInput(c, pattern, route, service), service);
    return c.json(shown as object, (route.status?.(shown) ?? usual) as ContentfulStatusCode);
  };
}

async function readInput(
  c: Context<Env>,
  pattern: string,
  route: Route,
  { clock, limits }: Service,
): Promise<Input<Parameters, Parameters>> {
  const request = c.req.raw;
  const given = pattern.endsWith("*") ? readRest(request.url, pattern, route) : c.req.param();
  const params = readValues(route.params ?? {}, (name) => [given[name] ?? ""]);
  // Most requests that matter have none.
  const asked = !route.foreignQuery && (route.query || request.url.includes("?"));
  const query = asked ? readQuery(request.url, route) : {};
  const headers = route.headers ? readHeaders(c) : new Map<string, string>();
  const body = route.body?.read(await readBody(request, limits.requestBytes));
  return { params, query, headers, body, request, callerIp: c.env?.callerIp ?? LOCAL, now: clock.now() };
}

/** What a pattern's `*` stands for, by the names in the path as it is shown: the last one has all that is left. */
function readRest(
  url: string,
  pattern: string,
  { path = "", params = {}, foreignQuery }: Route,
): Record<string, string> {
  const prefix = pattern.slice(0, -1);
  const rest = rawDestination(url, prefix);
  const parts = (foreignQuery ? rest : rest.replace(/[?#].*$/s, "")).split("/");
  const names = Object.keys(params);
  const last = names.length - 1;
  if (parts.length < names.length) throw invalid("path", `expected ${path}`);
  const texts = [...parts.slice(0, last), parts.slice(last).join("/")];
  return Object.fromEntries(
    names.map((name, at) => [name, params[name]?.raw ? (texts[at] ?? "") : decode(texts[at] ?? "")]),
  );
}

function readQuery(url: string, { query = {}, headers }: Route): Values<Parameters> {
  const { search, searchParams } = new URL(url);
  for (const [name, value] of searchParams) {
    if (name === TOKEN || (headers && name.toLowerCase().startsWith(OWN))) continue;
    if (!Object.hasOwn(query, name)) throw invalid(`parameter ${name}`, "there is no such parameter");
    // An escape that isn't UTF-8 becomes a replacement character.
    if (/[\p{Cc}\ufffd]/u.test(value)) throw invalid(`parameter ${name}`, "it is no text of UTF-8");
  }
  const escaped = search
    .slice(1)
    .split("&")
    .find((pair) => /%(?![0-9a-f]{2})/i.test(pair));
  if (escaped !== undefined) {
    throw invalid(`parameter ${escaped.split("=", 1)}`, "a % must be escaped, as %25");
  }
  return readValues(query, (name) => searchParams.getAll(name));
}

function readValues(declared: Parameters, valuesOf: (name: string) => readonly string[]): Values<Parameters> {
  return Object.fromEntries(
    Object.entries(declared).map(([name, parameter]) => [name, parameter.read(valuesOf(name), name)]),
  );
}

/** Headers, and the options among the query's parameters: headers win. */
function readHeaders(c: Context<Env>): Map<string, string> {
  const headers = new Map<string, string>();
  for (const [name, [value, second]] of Object.entries(c.req.queries()) as [string, string[]][]) {
    const lower = name.toLowerCase();
    if (!lower.startsWith(OWN) || value === undefined) continue;
    if (second !== undefined || headers.has(lower)) throw invalid(`parameter ${name}`, "it is given twice");
    headers.set(lower, value);
  }
  for (const [name, value] of c.req.raw.headers) headers.set(name, value);
  return headers;
}
