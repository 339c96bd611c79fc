/** Says what a value has to be, and what it is. */
export function mustBe(what: string, wanted: string, value: unknown): TypeError {
  const got = typeof value === "number" ? value : (JSON.stringify(value) ?? typeof value);
  return new TypeError(`${what} must be ${wanted}; got ${got}.`);
}

/** @throws TypeError for anything but a text that isn't empty */
export function checkText(what: string, value: unknown): asserts value is string {
  if (typeof value !== "string" || value.trim() === "") throw mustBe(what, "a text that isn't empty", value);
}

/** @throws TypeError for anything but a function */
export function checkFunction(what: string, value: unknown): void {
  if (typeof value !== "function") throw mustBe(what, "a function", value);
}

/** `Array.isArray`, also for lists that can't be changed. */
export function isList<Item>(value: unknown | readonly Item[]): value is readonly Item[] {
  return Array.isArray(value);
}

/** Whether a value has texts under all of these names. */
export function hasTexts(value: unknown, names: readonly string[]): boolean {
  return names.every((name) => typeof Object(value)[name] === "string");
}

/** @throws TypeError for what isn't the URL of something that HTTP reaches */
export function checkUrl(what: string, value: unknown): asserts value is string {
  if (typeof value !== "string" || !/^https?:\/\//i.test(value) || !URL.canParse(value))
    throw mustBe(what, "a URL that begins with http:// or https://", value);
}
