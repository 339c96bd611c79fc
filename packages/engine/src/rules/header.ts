import { decodeStepName, HEADER, LOWERCASE_PREFIX } from "@perdure/core/protocol";

/** Header names and values in the order they came. Names are lower case. */
export type HeaderList = readonly (readonly [name: string, value: string])[];

/** Headers as the API shows them and as answers are recorded: every value of every name. */
export type HeaderMap = Readonly<Record<string, readonly string[]>>;

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/i;
// The value of a header: Latin-1 without control characters other than the tab.
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

/**
 * Returns true if a string can be a header's name. `__proto__` would get lost wherever headers are the
 * properties of an object.
 */
export function isHeaderName(name: string): boolean {
  return TOKEN.test(name) && name.toLowerCase() !== "__proto__";
}

export function isHeaderValue(value: string): boolean {
  return VALUE.test(value);
}

/** `content-type` → `Content-Type`. */
export function trainCase(name: string): string {
  return name.toLowerCase().replace(/(?:^|-)[a-z]/g, (start) => start.toUpperCase());
}

const OF_WORKFLOWS = LOWERCASE_PREFIX.workflow;

/** Headers as the API shows them, without those that only the engine and the endpoint use. */
export function toHeaderMap(list: HeaderList): Record<string, string[]> {
  const map = new Map<string, string[]>();
  for (const [name, value] of list) {
    if (name.startsWith(OF_WORKFLOWS)) continue;
    const shown = trainCase(name);
    map.set(shown, [...(map.get(shown) ?? []), value]);
  }
  return Object.fromEntries(map);
}

/** Recorded headers as the API shows them. */
export function toShown(headers: HeaderMap): Record<string, readonly string[]> {
  return Object.fromEntries(Object.entries(headers).map(([name, values]) => [trainCase(name), values]));
}

/** The first value of a header in a map whose names are lower case. */
export function firstValue(headers: HeaderMap, name: string): string | undefined {
  return headers[name.toLowerCase()]?.[0];
}

/** The name of the step that failed, as the headers of an endpoint's answer say it. */
export function failedStepIn(headers: HeaderMap): string | undefined {
  const name = firstValue(headers, HEADER.errorStepName);
  return name === undefined ? undefined : decodeStepName(name);
}

/** Overrides headers: of those with the same name, the later ones win. */
export function overrideHeaders(old: HeaderList, next: HeaderList): HeaderList {
  const names = new Set(next.map(([name]) => name));
  return [...old.filter(([name]) => !names.has(name)), ...next];
}
