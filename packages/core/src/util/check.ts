/** Says what a value has to be, and what it is. */
export function mustBe(what: string, wanted: string, value: unknown): TypeError {
  return new TypeError(`${what} must be ${wanted}; got ${describeValue(value)}.`);
}

/** Any value, as an error names it. */
export function describeValue(value: unknown): string {
  if (typeof value === "bigint") return `${value}n`;
  // In JSON, NaN, Infinity and an invalid Date are null.
  if (typeof value === "number" || value instanceof Date) return String(value);
  if (isPromise(value)) return "a Promise";
  try {
    return JSON.stringify(value)?.slice(0, 200) ?? typeof value;
  } catch {
    return typeof value;
  }
}

/** The class of a platform's object, also of one of another realm: `[object Date]`. */
export function tagOf(value: unknown): string {
  return Object.prototype.toString.call(value);
}

/** @throws TypeError for anything but a string that isn't blank */
export function checkNonEmptyString(what: string, value: unknown): asserts value is string {
  if (typeof value !== "string" || value.trim() === "") throw mustBe(what, "a non-empty string", value);
}

/** @throws TypeError for anything but a whole number from 0 on; `undefined` passes */
export function checkCount(what: string, value: unknown): void {
  if (value !== undefined && !(Number.isSafeInteger(value) && (value as number) >= 0))
    throw mustBe(what, "a whole number from 0 on", value);
}

/** @throws TypeError for anything but a function */
export function checkFunction(what: string, value: unknown): void {
  if (typeof value === "function") return;
  // What it stands for has begun, and not by us.
  throw mustBe(what, isPromise(value) ? "a function: put () => before it" : "a function", value);
}

function isPromise(value: unknown): boolean {
  return typeof Object(value).then === "function";
}

/** `Array.isArray`, also for lists that can't be changed. */
export function isList<Item>(value: unknown | readonly Item[]): value is readonly Item[] {
  return Array.isArray(value);
}

/** Whether a value has texts under all of these names. */
export function hasStrings(value: unknown, names: readonly string[]): boolean {
  return names.every((name) => typeof Object(value)[name] === "string");
}
