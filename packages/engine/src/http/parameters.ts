import { parseDuration, toHttpUrl } from "@perdure/core/protocol";
import { invalid } from "../rules/engine-error.ts";
import { toFlag } from "../rules/field.ts";
import { NAME, toName } from "../rules/name.ts";
import { checkUrlGroupName } from "../rules/url-group.ts";
import type { Parameter, Schema } from "./route.ts";

/** The schema of each value in a query. The engine refuses longer values and control characters. */
export const TEXT = { type: "string", maxLength: 8192, pattern: "^[^\\p{Cc}\ufffd]*$" } as const;
const PART = { type: "string" } as const;
const WHOLE: Schema = { type: "integer", minimum: 0, maximum: 999_999_999_999_999 };

/** A string. The parameter may occur once. */
export const text: Parameter<string | undefined> = single(TEXT, (value) => value);

export const flag: Parameter<boolean | undefined> = single({ type: "boolean" }, toFlag);

/** A whole number. The engine treats an empty value as an absent parameter. */
export const whole: Parameter<number | undefined> = single(WHOLE, (value, field) =>
  value === "" ? undefined : toWhole(value, field),
);

/** A whole number of at least 1. */
export const positive: Parameter<number | undefined> = single({ ...WHOLE, minimum: 1 }, (value, field) => {
  const number = toWhole(value, field);
  if (number >= 1) return number;
  throw invalid(field, `expected a whole number from 1 on, got "${value}"`);
});

/**
 * Reads a duration such as `30s`, or a number of seconds, as milliseconds.
 *
 * @param most the longest duration, in milliseconds
 */
export function duration(most: number): Parameter<number | undefined> {
  const limit = `a duration such as "20s" or "500ms", ${most / 1000}s at most`;
  const schema = { ...TEXT, pattern: "^\\d[\\d.a-z]*$", description: limit };
  return single(schema, (value, field) => {
    const ms = parseDuration(value);
    if (ms !== undefined && ms <= most) return ms;
    throw invalid(field, `expected ${limit}, got "${value}"`);
  });
}

export const time: Parameter<number | undefined> = about(whole, "Milliseconds since 1970.");

/** URLs, normalized as the store has them. A URL may contain commas, so clients repeat the parameter. */
export const urls: Parameter<string[] | undefined> = repeated((value) => toHttpUrl(value) ?? value);

/** Paths of URLs, normalized like {@link urls}. */
export const paths: Parameter<string[] | undefined> = repeated((value) =>
  value.startsWith("/") && URL.canParse(`http://host${value}`)
    ? new URL(`http://host${value}`).pathname
    : value,
);

/** The values of a parameter that is repeated, or of a list with commas. */
export const list: Parameter<string[] | undefined> = each(TEXT, (value) => value);

export const numbers: Parameter<number[] | undefined> = each(WHOLE, toWhole);

/** Like {@link list}, but accepts only known values. */
export function someOf<const Value extends string>(known: readonly Value[]): Parameter<Value[] | undefined> {
  return each({ type: "string", enum: known }, (value, field) => toKnown(value, field, known));
}

export function oneOf<const Value extends string>(...known: readonly Value[]): Parameter<Value | undefined> {
  return single({ type: "string", enum: known }, (value, field) => toKnown(value, field, known));
}

/** The most entries of a page. The engine reduces a larger number to `most`. */
export function count(most: number): Parameter<number | undefined> {
  return {
    schema: { ...positive.schema, description: "Entries at most." },
    read(values, name) {
      const asked = whole.read(values, name);
      if (asked === 0) throw invalid(`parameter ${name}`, "expected 1 or more");
      return asked === undefined ? undefined : Math.min(asked, most);
    },
  };
}

/** The cursor of the previous page. */
export const cursor: Parameter<number | undefined> = single(
  { type: "string", description: "From the previous page." },
  (value, field) => {
    if (value === "") return undefined;
    const place = Buffer.from(value, "base64url").toString();
    if (/^[1-9]\d{0,14}$/.test(place) && toCursor(Number(place)).cursor === value) return Number(place);
    throw invalid(field, "it is not one that this list gave out");
  },
);

/** The cursor of the next page, opaque to clients; absent on the last page. */
export function toCursor(place: number | undefined): { readonly cursor?: string } {
  return place === undefined ? {} : { cursor: Buffer.from(String(place)).toString("base64url") };
}

/** A part of a path that the engine accepts unchanged. */
export const part: Parameter<string> = { schema: PART, read: ([value = ""]) => value };

/** A destination, at the end of a path. */
export const destination: Parameter<string> = {
  ...part,
  schema: {
    ...PART,
    format: "uri-reference",
    description: "A URL as it is, not escaped, or the name of a URL group.",
  },
  raw: true,
};

/** A part of a path that is a name, of a queue for example. */
export function named(field: string): Parameter<string> {
  return { schema: { ...PART, ...NAME }, read: ([value = ""]) => toName(value, field) };
}

/** The name of a URL group. */
export const urlGroupName: Parameter<string> = {
  schema: { ...PART, ...NAME },
  read: ([value = ""]) => checkUrlGroupName(value, "url group name"),
};

/** Adds a description to a parameter. */
export function about<Value>({ schema, read }: Parameter<Value>, description: string): Parameter<Value> {
  return { schema: { ...schema, description }, read };
}

/** A parameter that may occur once. */
export function single<Value>(
  schema: Schema,
  parse: (value: string, field: string) => Value,
): Parameter<Value | undefined> {
  return {
    schema,
    read([value, ...more], name) {
      if (more.length > 0) throw invalid(`parameter ${name}`, "it is given more than once");
      return value === undefined ? undefined : parse(bounded(value, name), `parameter ${name}`);
    },
  };
}

/** A parameter that may be repeated. */
function repeated(stored: (value: string) => string): Parameter<string[] | undefined> {
  return {
    schema: { type: "array", items: TEXT },
    read: (values, name) =>
      values.length > 0 ? values.map((value) => stored(notEmpty(value, name))) : undefined,
  };
}

/** A parameter that may be repeated, or be a list with commas. */
export function each<Value>(
  items: Schema,
  parse: (value: string, field: string) => Value,
): Parameter<Value[] | undefined> {
  return {
    schema: { type: "array", items },
    read(values, name) {
      if (values.length === 0) return undefined;
      return values
        .flatMap((value) => value.split(","))
        .map((value) => parse(notEmpty(value.trim(), name), `parameter ${name}`));
    },
  };
}

/** Decodes a part of a path. */
export function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment; // Not escaped by its sender: it stands for itself.
  }
}

/** Refuses an empty filter: it would match everything, and a client that deletes by it doesn't mean that. */
function notEmpty(value: string, name: string): string {
  if (value !== "") return bounded(value, name);
  throw invalid(`parameter ${name}`, "it is empty");
}

function bounded(value: string, name: string): string {
  if (value.length <= TEXT.maxLength) return value;
  throw invalid(`parameter ${name}`, `expected ${TEXT.maxLength} characters at most, got ${value.length}`);
}

function toKnown<Value extends string>(value: string, field: string, known: readonly Value[]): Value {
  const found = known.find((one) => one === value);
  if (found) return found;
  throw invalid(field, `expected one of ${known.join(", ")}, got "${value}"`);
}

function toWhole(value: string, field: string): number {
  if (/^\d{1,15}$/.test(value)) return Number(value);
  throw invalid(field, `expected a whole number, got "${value}"`);
}
