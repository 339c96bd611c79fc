import { LOWERCASE_PREFIX, PERSON_HEADER } from "@perdure/core/protocol";
import type { Context, Handler } from "hono";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import { rawDestination } from "../rules/destination.ts";
import { invalid } from "../rules/engine-error.ts";
import { isAudited } from "./audit-log.ts";
import { readBody } from "./body.ts";
import { hidePayloads } from "./hide-payloads.ts";
import { toJsonBody } from "./json-answer.ts";
import { decode } from "./parameters.ts";
import { targetOf } from "./path.ts";
import type { Head, Input, Parameters, Route, Values } from "./route.ts";
import type { Env, Sender, Service } from "./service.ts";

const JSON_TYPE = { "Content-Type": "application/json" };

/** The address of callers in the engine's own process. */
export const LOCAL = "127.0.0.1";
/** The sender of requests from the engine's own process. */
export const THIS_PROCESS: Sender = { access: "full", name: "this process" };
/** The sender of requests to routes that need no token. */
const ANYONE: Sender = { access: "read only", name: "anyone" };
/** Characters of the target of an action that the audit log keeps. */
const MAX_TARGET = 500;
const OWN = LOWERCASE_PREFIX.own;

/** Reads a request as the route declares it, and answers. */
export function serve(pattern: string, route: Route, service: Service): Handler<Env> {
  const usual = Number(Object.keys(route.answers)[0]);
  return async (c) => {
    const { limits } = service;
    const hold = service.bodies.hold();
    try {
      const head = readHead(c, pattern, route, service);
      await route.admit?.(head, service);
      const limit = route.bodyLimit?.(limits) ?? limits.requestBytes;
      const body = await route.body?.read(await readBody(head.request, limit, hold), service, head);
      const input = { ...head, body };
      const hides = service.hidePayloads && head.sender.access === "read only";
      if (route.respond && !hides) return await route.respond(input, service);
      const shown = await route.handle(input, service);
      const byPerson = head.request.headers.has(PERSON_HEADER);
      if (isAudited(c.req.method, pattern, { ...head.query, byPerson }))
        await recordAction(c, { pattern, path: route.path }, input, service);
      if (shown instanceof Response) return shown;
      const status = (route.status?.(shown) ?? usual) as ContentfulStatusCode;
      return c.body(toJsonBody(hides ? await hidePayloads(shown) : shown), status, JSON_TYPE);
    } finally {
      hold.release();
    }
  };
}

/** Adds a request to the audit log that has changed something. */
async function recordAction(
  c: Context<Env>,
  { pattern, path = pattern }: { readonly pattern: string; readonly path: string | undefined },
  { params, callerIp, sender, body }: Input<Parameters, Parameters>,
  { store, streams }: Service,
): Promise<void> {
  const [named] = Object.values(params);
  const target = typeof named === "string" ? named : namedIn(body) || new URL(c.req.url).search;
  await store.recordAction({
    actor: sender.name,
    person: readPerson(c.req.raw.headers),
    action: `${c.req.method} ${shownPath(path)}`,
    target: target.slice(0, MAX_TARGET),
    callerIp,
  });
  const of = OBJECTS.find(([prefix]) => pattern.startsWith(prefix))?.[1];
  if (of) streams.publish({ type: "object.changed", of, key: typeof named === "string" ? named : undefined });
}

/** The destinations of a batch, or the name of a queue. */
function namedIn(body: unknown): string {
  if (!Array.isArray(body)) return String(Object(body).queueName ?? "");
  return body
    .slice(0, MAX_TARGET)
    .map((item) => Object(item).destination)
    .filter((destination) => typeof destination === "string")
    .join(", ");
}

/** A route's path with the names of its parts as `:name`, whether it is a pattern of the router or of the documentation. */
function shownPath(path: string): string {
  return path.replace(/\{(\w+)\}/g, ":$1").replace(/\{.*?\}/g, "");
}

/** Characters of a person's name that the audit log keeps. */
const MAX_PERSON = 100;

/** Returns the person that a request names; undefined for none. */
function readPerson(headers: Headers): string | undefined {
  const given = headers.get(PERSON_HEADER) ?? "";
  try {
    return decodeURIComponent(given).trim().slice(0, MAX_PERSON) || undefined;
  } catch {
    return given.slice(0, MAX_PERSON); // The name isn't percent-encoded.
  }
}

/** The objects whose changes a stream tells of, by the beginnings of their routes. */
const OBJECTS = [
  ["/v2/queues", "queue"],
  ["/v2/flowControl/", "flow"],
  ["/v2/schedules", "schedule"],
  ["/v2/dlq", "dlq"],
  ["/v2/workflows/dlq", "dlq"],
] as const;

/** Reads everything but the body. */
function readHead(
  c: Context<Env>,
  pattern: string,
  route: Route,
  { clock }: Service,
): Head & Omit<Input<Parameters, Parameters>, "body"> {
  const request = c.req.raw;
  const target = targetOf(request, c.env);
  const given = pattern.endsWith("*") ? readRest(target, pattern, route) : c.req.param();
  const params = readValues(route.params ?? {}, (name) => [given[name] ?? ""]);
  // Most of the frequent requests have no query, so the engine skips parsing it.
  const asked = !route.foreignQuery && (route.query || request.url.includes("?"));
  const query = asked ? readQuery(request.url, route) : {};
  const headers = route.headers ? readHeaders(request) : new Map<string, string>();
  const callerIp = c.env?.callerIp ?? LOCAL;
  const signal = (): AbortSignal => request.signal;
  const sender = c.get("sender") ?? ANYONE;
  const lastEventId = request.headers.get("last-event-id") ?? undefined;
  return { params, query, headers, request, signal, target, callerIp, sender, lastEventId, now: clock.now() };
}

/**
 * Reads the path that a pattern's `*` matches, by the names in the documented path. The last name gets the
 * rest.
 */
function readRest(
  target: string,
  pattern: string,
  { path = "", params = {}, foreignQuery }: Route,
): Record<string, string> {
  const prefix = pattern.slice(0, -1);
  if (!target.startsWith(prefix)) throw invalid("path", `expected ${path}`);
  const rest = rawDestination(target, prefix);
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
  const given = new Map<string, string[]>();
  for (const { name, value } of pairsOf(url)) {
    if (name === "qstash_token" || (headers && name.toLowerCase().startsWith(OWN))) continue;
    if (!Object.hasOwn(query, name)) throw invalid(`parameter ${name}`, "there is no such parameter");
    const values = given.get(name) ?? [];
    values.push(checkText(value, name));
    given.set(name, values);
  }
  return readValues(query, (name) => given.get(name) ?? []);
}

interface Pair {
  readonly name: string;
  /** `undefined` when the client escaped the value incorrectly. */
  readonly value: string | undefined;
}

function pairsOf(url: string): Pair[] {
  const [, search = ""] = /\?([^#]*)/.exec(url) ?? [];
  const written = search.split("&").filter((pair) => pair !== "");
  return written.flatMap((pair) =>
    [...new URLSearchParams(pair)].map(([name, value]) => ({
      name,
      value: /%(?![0-9a-f]{2})/i.test(pair) ? undefined : value,
    })),
  );
}

/** Control characters, and the replacement character that stands for an escape that isn't UTF-8. */
const NO_TEXT = /[\p{Cc}\ufffd]/u;

function checkText(value: string | undefined, name: string): string {
  if (value === undefined) throw invalid(`parameter ${name}`, "a % must be escaped, as %25");
  if (!NO_TEXT.test(value)) return value;
  throw invalid(`parameter ${name}`, "it contains control characters, or bytes that aren't UTF-8");
}

export function readValues(
  declared: Parameters,
  valuesOf: (name: string) => readonly string[],
): Values<Parameters> {
  return Object.fromEntries(
    Object.entries(declared).map(([name, parameter]) => [name, parameter.read(valuesOf(name), name)]),
  );
}

/**
 * Reads the headers, and the options in the query. A header takes precedence over a parameter with its name.
 */
function readHeaders({ url, headers: given }: Request): Map<string, string> {
  const headers = new Map<string, string>();
  const own = pairsOf(url).filter(({ name }) => name.toLowerCase().startsWith(OWN));
  for (const { name, value } of own) {
    const lower = name.toLowerCase();
    if (headers.has(lower)) throw invalid(`parameter ${name}`, "it is given twice");
    headers.set(lower, checkText(value, name));
  }
  for (const [name, value] of given) headers.set(name, URL_HEADER.test(name) ? fromUtf8(value) : value);
  return headers;
}

/** The headers of the protocol that contain a URL. */
const URL_HEADER = /^(?:upstash|perdure)-(?:.*-)?(?:callback|url)$/;

/**
 * A header has one character for each of its bytes. Decodes a URL that a client, curl for example, sent as
 * UTF-8; returns every other value unchanged.
 */
function fromUtf8(value: string): string {
  if (!/[\x80-\xff]/.test(value)) return value;
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(
      Uint8Array.from(value, (character) => character.charCodeAt(0)),
    );
  } catch {
    return value;
  }
}
