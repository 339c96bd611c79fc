import { invalid, messageOf, Problem } from "../domain/problem.ts";

/**
 * @param what what the bytes are, for the reason why they are refused
 * @throws Problem 400 for bytes that are no text, or no JSON
 */
export function parseJson(body: Uint8Array, what: string): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body));
  } catch (cause) {
    throw new Problem(400, `${what} is not JSON: ${messageOf(cause)}`, { cause });
  }
}

/** @throws Problem 400 that names the field, unless the value is an object */
export function toObject(value: unknown, field: string): Record<string, unknown> {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>;
  }
  throw invalid(field, "expected an object");
}

/** @throws Problem 400 that names the field, unless the value is a list with something in it */
export function toList(value: unknown, field: string): unknown[] {
  if (Array.isArray(value) && value.length > 0) return value;
  throw invalid(field, "expected a list with something in it");
}
