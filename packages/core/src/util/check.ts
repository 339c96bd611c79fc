/**
 * The error for an invalid value: "`what` must be `wanted`; got `value`."
 *
 * @example
 * ```ts
 * mustBe("port", "a number", "80").message; // 'port must be a number; got "80".'
 * ```
 */
export function mustBe(what: string, wanted: string, value: unknown): TypeError {
  return new TypeError(`${what} must be ${wanted}; got ${describeValue(value)}.`);
}

/** Describes a value for an error's message. */
export function describeValue(value: unknown): string {
  if (typeof value === "bigint") return `${value}n`;
  // JSON has `null` for NaN, Infinity and an invalid Date.
  if (typeof value === "number" || value instanceof Date) return String(value);
  if (isPromise(value)) return "a Promise";
  return safely(() => JSON.stringify(value)?.slice(0, 200)) ?? typeof value;
}

/** Returns what `read` returns; `undefined` when it throws, as a getter or a proxy of user code may. */
export function safely<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

/** Returns the class of a built-in object, also from another realm: `[object Date]`. */
export function tagOf(value: unknown): string {
  return safely(() => Object.prototype.toString.call(value)) ?? "[object Object]";
}

/** @throws TypeError for a value that isn't a string, and for a blank one */
export function checkNonEmptyString(what: string, value: unknown): asserts value is string {
  if (typeof value !== "string" || value.trim() === "") throw mustBe(what, "a non-empty string", value);
}

/** @throws TypeError for a value that can't be one segment of a URL's path, which holds no half of a surrogate pair */
export function checkId(what: string, value: unknown): asserts value is string {
  checkNonEmptyString(what, value);
  if (/^\.\.?$|\p{Cs}/u.test(value)) throw mustBe(what, 'well-formed, and not "." or ".."', value);
}

/** @throws TypeError for a value that isn't a whole number from 0 on; `undefined` passes */
export function checkCount(what: string, value: unknown): void {
  if (value !== undefined && !(Number.isSafeInteger(value) && (value as number) >= 0))
    throw mustBe(what, "a whole number from 0 on", value);
}

/**
 * Checks an option that is a function.
 *
 * @throws TypeError for a value that isn't a function
 * @example
 * ```ts
 * checkFunction("onEvent", 5); // TypeError: onEvent must be a function; got 5.
 * ```
 */
export function checkFunction(what: string, value: unknown): void {
  if (typeof value === "function") return;
  // The work of a promise has already begun.
  throw mustBe(what, isPromise(value) ? "a function: put () => before it" : "a function", value);
}

function isPromise(value: unknown): boolean {
  return typeof Object(value).then === "function";
}

/** Like `Array.isArray`, also for readonly lists. */
export const isList: <Item>(value: unknown | readonly Item[]) => value is readonly Item[] = Array.isArray;

/** True for a value whose properties with these names are strings. */
export function hasStrings(value: unknown, names: readonly string[]): boolean {
  return names.every((name) => typeof Object(value)[name] === "string");
}
