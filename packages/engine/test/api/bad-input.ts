import type { OpenApi } from "../../src/http/document.ts";
import { TEXT } from "../../src/http/parameters.ts";
import type { Schema } from "../../src/http/route.ts";
import { type Item, validatorOf } from "../described.ts";
import type { Ask } from "../harness.ts";

/** A request that is in order. */
export interface Good {
  readonly params: Readonly<Record<string, string>>;
  readonly headers: Record<string, string>;
  /** JSON, where that is what the operation takes. */
  readonly body?: unknown;
}

/** The same with one thing wrong. */
export interface Bad {
  readonly what: string;
  readonly path: string;
  readonly ask: Ask;
  /** What the answer must name. */
  readonly names: string;
}

/** Above what a request may have, in the world of these tests. */
export const TOO_LARGE = 30_000;
const LONG = "x".repeat(10_000);

/** The request that `good` is, with `change` in place of its parts. */
export function toRequest(template: string, good: Good, change: Partial<Good> & { query?: string } = {}) {
  const { params, headers, body, query = "" } = { ...good, ...change };
  const path = template.replace(/\{(\w+)\}/g, (_, name: string) => params[name] ?? "");
  const json = body === undefined ? {} : { body: JSON.stringify(body) };
  return { path: path + query, ask: { headers, ...json } };
}

/** Every part of an operation with everything that can be wrong with it. */
export function badInput(
  [method, template]: readonly [string, string],
  item: Item,
  good: Good,
  api: OpenApi,
): Bad[] {
  const say = (what: string, names: string, change: Parameters<typeof toRequest>[2]): Bad => ({
    what,
    names,
    ...toRequest(template, good, change),
  });
  const of = (place: string) => item.parameters.filter((one) => one.in === place);
  const foreign =
    of("path").some(({ schema }) => schema.format === "uri-reference") || item.security?.length === 0;
  return [
    ...of("path").flatMap(({ name, schema }) =>
      badParts(schema, `${template} ${name}`).map(([value, names]) =>
        say(`${name}: ${value}`, names ?? name, { params: { ...good.params, [name]: value } }),
      ),
    ),
    ...(foreign ? [] : ["nonsense=1", "__proto__=1"]).map((pair) =>
      say(pair, pair.slice(0, -2), { query: `?${pair}` }),
    ),
    ...of("query").flatMap(({ name, schema }) =>
      badValues(schema).map((value) => say(`${name}=${value}`, name, { query: `?${name}=${value}` })),
    ),
    ...of("query")
      .filter(({ schema }) => schema.type !== "array")
      .map(({ name }) => say(`${name} twice`, name, { query: `?${name}=1&${name}=1` })),
    ...of("header").flatMap(({ name }) => badHeaders(name, good, say)),
    ...(item.requestBody && method !== "GET" ? badBodies(item.requestBody, template, good, api) : []),
  ];
}

/** What isn't a run's id is part of the event's; a webhook is known by its run and its event. */
const ANYTHING = [
  "/v2/notify/{runId}/{eventId} runId",
  "/v2/workflows/hooks/{userId}/{runId}/{eventId} userId",
];

/** Values for a part of a path, and what is named where it isn't the part. */
function badParts(schema: Schema, part: string): [value: string, names?: string][] {
  const missing: [string, string] = ["", "invalid|not found|not allowed"];
  if (schema.format === "uri-reference") {
    const urls = [
      "nowhere",
      "mailto:a@a.test",
      "https://u:p@a.test",
      `https://a.test/${LONG}`,
      "a%20b",
      "%00",
      "%zz",
    ];
    return ["", ...urls].map((value) => [value, "destination url|url group"]);
  }
  if (ANYTHING.includes(part)) return [];
  if (schema.pattern === undefined) {
    return [
      missing,
      ...["wfr_none", "%00", "%ff", "%zz", LONG].map((one): [string, string] => [one, "not found|no such"]),
    ];
  }
  const none: [string][] = /Cc/.test(String(schema.pattern)) ? [] : [["a%20b"], ["%ff"], ["%zz"]];
  return [missing, [LONG], ["%00"], ...none];
}

/** Values for a parameter of a query, as they are written there. */
function badValues(schema: Schema): string[] {
  const encodings = ["%ff", "%zz", "%00", LONG];
  if (schema.type === "array") return ["", ...badValues(schema.items as Schema)];
  if (schema.enum) return ["nonsense", "", ...encodings];
  if (schema.type === "boolean") return ["yes", "1", "", ...encodings];
  if (schema.type === "integer") {
    return ["x", "1.5", "1e3", String(Number(schema.minimum) - 1), "9".repeat(20), ...encodings];
  }
  const isFree = schema.pattern === TEXT.pattern || schema.pattern === undefined;
  return [...(isFree ? [] : ["-1s", "no such thing!"]), ...encodings];
}

function badHeaders(
  name: string,
  { headers }: Good,
  say: (what: string, names: string, change: Parameters<typeof toRequest>[2]) => Bad,
): Bad[] {
  const rest = Object.fromEntries(Object.entries(headers).filter(([other]) => other !== name));
  const values = [LONG, "", ...(name === "Upstash-Deduplication-Id" ? [] : ["no such thing!"])];
  const asked = ["%ff", "%00", LONG, `1&${name}=1`, `1&${name.toLowerCase()}=1`];
  return [
    ...values.map((value) => say(`${name}: ${value}`, name, { headers: { ...rest, [name]: value } })),
    ...asked.map((value) => say(`?${name}=${value}`, name, { headers: rest, query: `?${name}=${value}` })),
    ...(name in headers ? [say(`no ${name}`, name, { headers: rest })] : []),
  ];
}

function badBodies(
  { content, required }: NonNullable<Item["requestBody"]>,
  template: string,
  good: Good,
  api: OpenApi,
): Bad[] {
  const raw = (what: string, names: string, body: string | Uint8Array<ArrayBuffer>): Bad => {
    const { path, ask } = toRequest(template, good);
    return { what, names, path, ask: { ...ask, body } };
  };
  const large = raw("a body that is too large", "body", `"${"x".repeat(TOO_LARGE)}"`);
  const schema = content["application/json"]?.schema;
  if (!schema) return [large];
  const text = JSON.stringify(good.body);
  return [
    large,
    ...["{", "nonsense", text.slice(0, -1)].map((one) => raw(one, "not json", one)),
    raw("no UTF-8", "not json", new Uint8Array([0x22, 0xff, 0xfe, 0x22])),
    ...(required ? [raw("no body", "not json", "")] : []),
    ...repeated(text).map(([one, name]) => raw(`${name} twice`, name, one)),
    ...badFields(schema, good.body, "must be a JSON", api).map(([body, names]) =>
      raw(JSON.stringify(body).slice(0, 80), names, JSON.stringify(body)),
    ),
  ];
}

const VALUES: readonly unknown[] = [
  null,
  true,
  "",
  "a b",
  "\u0000",
  LONG,
  -1,
  1.5,
  1e300,
  [],
  {},
  [null],
  [7],
  { a: 7 },
];

/** A value with a part of it, however deep, that its schema doesn't allow. */
function badFields(
  schema: Schema,
  value: unknown,
  name: string,
  api: OpenApi,
): [value: unknown, name: string][] {
  const {
    properties,
    items,
    additionalProperties: others,
    required = [],
    anyOf,
  } = dereferenced(schema, api) as Parts;
  const allowed = validatorOf(schema, api);
  const within = items ? ["item 0", ...((dereferenced(items, api) as Parts).required ?? [])] : [];
  const closed = others === false ? ["there is no such field"] : [];
  const names = [name, ...required, ...within, ...closed].join("|");
  const own = VALUES.filter((one) => !allowed(one)).map((one): [unknown, string] => [one, names]);
  const inner = (part: Schema, key: string | number, called: string): [unknown, string][] => {
    const old = Object(value)[key];
    if (old === undefined) throw new TypeError(`The good request has no ${called}.`);
    const wrong = badFields(part, old, called, api);
    return wrong.map(([bad, told]) => [
      Array.isArray(value) ? [bad] : { ...Object(value), [key]: bad },
      told,
    ]);
  };
  const some = anyOf?.find((one) => validatorOf(one, api)(value));
  if (some) return [...own, ...badFields(some, value, name, api).filter(([bad]) => !allowed(bad))];
  return [
    ...own,
    ...(items && Array.isArray(value) ? inner(items, 0, name === "must be a JSON" ? "item 0" : name) : []),
    ...Object.entries(properties ?? {}).flatMap(([key, part]) => inner(part, key, key)),
    ...required.map((key): [unknown, string] => [{ ...Object(value), [key]: undefined }, key]),
    ...(others && Object.keys(others).length > 0
      ? Object.keys(Object(value)).flatMap((key) => inner(others, key, key))
      : []),
  ];
}

interface Parts {
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly additionalProperties?: Schema | false;
  readonly required?: readonly string[];
  readonly anyOf?: readonly Schema[];
}

function dereferenced(schema: Schema, { components }: OpenApi): Schema {
  const name = String(schema.$ref ?? "")
    .split("/")
    .at(-1);
  return name ? ((components.schemas as Record<string, Schema>)[name] as Schema) : schema;
}

/** The JSON with each of its names twice, one after the other. */
function repeated(json: string): [json: string, name: string][] {
  return [...json.matchAll(/"((?:[^"\\]|\\.)*)":/g)].map(({ 0: written, 1: name = "", index }) => [
    `${json.slice(0, index)}${written}1,${json.slice(index)}`,
    name,
  ]);
}
