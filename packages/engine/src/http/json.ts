import type { z } from "zod";
import { EngineError, invalid } from "../rules/engine-error.ts";
import { messageOf } from "../rules/thrown.ts";
import { createTimeSlices, type YieldPoint } from "../store/time-slices.ts";
import { type Fault, findFault, MAX_DEPTH } from "./json-faults.ts";
import type { Body } from "./route.ts";

/** A body that the engine forwards unchanged. */
export const raw: Body<Uint8Array> = { type: "*/*", required: false, read: (bytes) => bytes };

/**
 * A JSON body that must match a schema.
 *
 * @param what the name of the body in error messages
 */
export function json<S extends z.ZodType>(what: string, schema: S): Body<z.output<S>> {
  return {
    type: "application/json",
    schema,
    required: true,
    read: async (bytes) => check(schema, await parseJson(bytes, what), what),
    check: (value) => check(schema, value, what),
  };
}

/** Makes a body optional. */
export function optional<Value>(body: Body<Value>): Body<Value | undefined> {
  return {
    ...body,
    required: false,
    read: (bytes, service, head) => (bytes.length > 0 ? body.read(bytes, service, head) : undefined),
    check: (value) => (value === undefined ? undefined : body.check?.(value)),
  };
}

/**
 * @param mostItems the most items that the outermost list may have. No limit by default
 * @throws EngineError `invalid_request` for bytes that are not UTF-8 or not JSON, and for JSON that has a
 * name twice or is nested too deeply; `too_large` for more items or values than the engine parses at once
 */
export async function parseJson(bytes: Uint8Array, what: string, mostItems = Infinity): Promise<unknown> {
  let fault: Fault | undefined;
  let value: unknown;
  const pause = createTimeSlices();
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    await pause();
    fault = await searchFault(text, mostItems, pause);
    // Parsing what the search hasn't read could take seconds.
    if (!fault || fault.kind === "name") value = JSON.parse(text);
    await pause();
  } catch (cause) {
    throw new EngineError("invalid_request", `${what} is not JSON: ${messageOf(cause)}`, { cause });
  }
  if (fault) throw toEngineError(fault, what);
  return value;
}

/** Runs {@link findFault}, and lets other work run during its pauses. */
async function searchFault(text: string, mostItems: number, pause: YieldPoint): Promise<Fault | undefined> {
  const search = findFault(text, mostItems);
  for (;;) {
    const { done, value } = search.next();
    if (done) return value;
    await pause();
  }
}

function toEngineError(fault: Fault, what: string): EngineError {
  switch (fault.kind) {
    case "name":
      return invalid(fault.name, `it is given twice in ${what}, or nothing can have this name`);
    case "depth":
      return new EngineError("invalid_request", `${what} is nested deeper than ${MAX_DEPTH} levels`);
    case "items":
    case "values":
      return new EngineError(
        "too_large",
        `${what} has more than ${fault.most} ${fault.kind}; send several smaller requests`,
      );
    default:
      return fault satisfies never;
  }
}

/** @throws EngineError `invalid_request` that names the field */
export function check<S extends z.ZodType>(schema: S, value: unknown, what: string): z.output<S> {
  const { data, error } = schema.safeParse(value, { error: explain });
  if (!error) return data as z.output<S>;
  const [issue] = error.issues as [z.core.$ZodIssue];
  const { path, message } = issue;
  if (issue.code === "unrecognized_keys") {
    throw invalid(toField([...path, ...issue.keys.slice(0, 1)]), `there is no such field in ${what}`);
  }
  if (path.length === 0)
    throw new EngineError(
      "invalid_request",
      `${what} must be a JSON ${message.replace(/^expected an? /, "")}`,
    );
  throw invalid(toField(path), message);
}

const NOUNS: Readonly<Record<string, string>> = {
  array: "an array",
  boolean: "true or false",
  int: "a whole number",
  number: "a number",
  object: "an object",
  record: "an object",
  string: "a string",
};

function explain({ code, input, ...issue }: z.core.$ZodRawIssue): string {
  const got = input === undefined ? "" : `, got ${JSON.stringify(input).slice(0, 100)}`;
  if (code === "invalid_type") return `expected ${NOUNS[String(issue.expected)] ?? issue.expected}${got}`;
  if (code === "too_small" && Array.isArray(input)) return "expected a list with something in it";
  if (code === "too_small") return `expected ${issue.minimum} or more${got}`;
  return `it is not what it should be${got}`;
}

/** The name of a field, such as `endpoints[0].url`, or `item 0` when the body is a list. */
function toField([first, ...rest]: readonly PropertyKey[]): string {
  const parts = rest.map((part) => (typeof part === "number" ? `[${part}]` : `.${String(part)}`));
  return [typeof first === "number" ? `item ${first}` : String(first), ...parts].join("");
}
