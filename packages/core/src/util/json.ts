/** Parses JSON. Returns another string as it is, and `undefined` for an empty one. */
export function parseLeniently(value: string): unknown {
  if (value === "") return undefined;
  try {
    return JSON.parse(value);
  } catch {
    return value;
  }
}
