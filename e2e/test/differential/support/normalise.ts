import type { Recorded } from "./recorder.ts";

export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };
type JsonObject = Record<string, Json>;

/** True of one connection, or of a platform's HTTP client: the packages have no say in them. */
const CONNECTION = new Set(
  `accept accept-encoding accept-language connection content-length host keep-alive sec-fetch-mode
   transfer-encoding user-agent`.split(/\s+/),
);

/** A request to the engine. What it publishes is a list of messages, whatever way it goes. */
export function readSent({ method, path, headers, body }: Recorded): Json {
  const kept = keep(headers);
  const published = /^\/v2\/publish\/(.*)$/.exec(path)?.[1];
  if (published !== undefined) {
    const { authorization = null, ...own } = kept;
    const message = readMessage({ destination: published, headers: own, ...(body ? { body } : {}) });
    return { method, path: "/v2/publish", headers: { authorization }, messages: [message] };
  }
  if (path === "/v2/batch") {
    return { method, path, headers: kept, messages: (JSON.parse(body) as Message[]).map(readMessage) };
  }
  const [pathname = "", query = ""] = path.split("?");
  return {
    method,
    path: pathname,
    query: readQuery(query),
    headers: kept,
    ...(body ? { body: expand(body) } : {}),
  };
}

interface Message {
  readonly destination: string;
  readonly headers: JsonObject;
  readonly body?: string;
}

function readMessage({ destination, headers, body }: Message): Json {
  // What goes to a third party is compared to the letter.
  const verbatim = headers["upstash-workflow-calltype"] === "toCallback";
  return {
    destination,
    headers,
    ...(body === undefined ? {} : { body: verbatim ? body : expand(body) }),
  };
}

/** An answer of the endpoint: what was done, what a failure function has returned, or what failed. */
export async function readAnswer(response: Response): Promise<Json> {
  const text = await response.text();
  return { status: response.status, headers: keep(Object.fromEntries(response.headers)), ...readBody(text) };
}

function readBody(text: string): JsonObject {
  const body = expand(text);
  if (typeof body !== "object" || body === null) return { text: text === "" ? "" : "<text>" };
  const { message, stack, where, step, cause, ...rest } = body as JsonObject;
  if (message === undefined) return "result" in rest ? { result: rest.result as Json } : { done: rest };
  const told = { ...rest, message: ownOnly(message), ...(stack === undefined ? {} : { stack: "<stack>" }) };
  const place = { where, step, cause: cause === undefined ? undefined : "<cause>" };
  return { failed: told, ...(where || step || cause ? { place: JSON.parse(JSON.stringify(place)) } : {}) };
}

// Which words a package uses is its own affair. What a scenario has thrown has to come through.
function ownOnly(message: Json): Json {
  return typeof message === "string" && /^(own: |\{"own"|$)/.test(message) ? message : "<message>";
}

function keep(headers: Readonly<Record<string, string>>): JsonObject {
  const kept: JsonObject = {};
  for (const [name, value] of Object.entries(headers)) if (!CONNECTION.has(name)) kept[name] = value;
  return kept;
}

function readQuery(query: string): JsonObject {
  const values: Record<string, Json[]> = {};
  for (const [name, value] of new URLSearchParams(query)) {
    values[name] ??= [];
    values[name].push(value);
  }
  return values;
}

/** Fields whose text may be JSON, and is compared as such. */
const JSON_FIELDS = ["out", "result", "body"];

function expand(text: string): Json {
  if (!/^[[{]/.test(text)) return text;
  try {
    return inner(JSON.parse(text) as Json);
  } catch {
    return text;
  }
}

function inner(value: Json): Json {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  const copy: JsonObject = {};
  for (const [name, field] of Object.entries(value)) {
    const expanded = JSON_FIELDS.includes(name) && typeof field === "string" ? expand(field) : inner(field);
    copy[name] = typeof field === "string" && expanded !== field ? { json: expanded } : expanded;
  }
  return copy;
}

const RANDOM_ID = /\b(wfr|evt)_[\w-]{15,21}(?![\w-])/g;

/** Replaces what is another in each process: the engine's port, and random ids in the order in which they appear. */
export function normalise(trace: Json, engine: string): Json {
  const ids = new Map<string, string>();
  const text = JSON.stringify(trace)
    .replaceAll(engine, "<engine>")
    .replace(RANDOM_ID, (id, kind: string) => {
      const known = ids.get(id) ?? `<${kind} ${ids.size + 1}>`;
      ids.set(id, known);
      return known;
    });
  return JSON.parse(text, untold) as Json;
}

// That telemetry is sent is compared, and not what it says.
function untold(name: string, value: Json): Json {
  return /^upstash-telemetry-/i.test(name) ? "<telemetry>" : value;
}
