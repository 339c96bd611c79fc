import { checkOptions as checkNames } from "@perdure/core/protocol";

/** Like `checkOptions` of core, and refuses options that aren't an object. @throws TypeError that names the option or its owner */
export const checkOptions: typeof checkNames = (owner, options, known) => {
  if (!isObject(options)) throw mustBeKind(`The options of ${owner}`, "an object", options);
  checkNames(owner, options, known);
};

/** False for a list, a `Map` or a promise, which would count as an object without properties. */
export function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null && !(Symbol.iterator in value) && !isPromise(value);
}

/** The error for an invalid value that may be a secret or hold one: the message has only its kind. */
export function mustBeKind(what: string, wanted: string, value: unknown): TypeError {
  return new TypeError(`${what} must be ${wanted}; got ${kindOf(value)}.`);
}

/** @throws TypeError without the value, unless it is a non-empty string */
export function checkSecret(what: string, value: unknown): void {
  if (typeof value !== "string" || value.trim() === "") throw mustBeKind(what, "a non-empty string", value);
}

function kindOf(value: unknown): string {
  if (value === undefined || value === null) return String(value);
  if (isPromise(value)) return "a Promise";
  if (Array.isArray(value)) return value.length === 0 ? "an empty list" : "a list";
  if (typeof value === "string") return value.trim() === "" ? "an empty string" : "a string";
  if (typeof value !== "object") return `a ${typeof value}`;
  return value instanceof Map ? "a Map" : "an object";
}

function isPromise(value: unknown): boolean {
  return typeof Object(value).then === "function";
}
