/** Parses JSON. @returns undefined for a string that is none, or that holds no more than a plain string */
export function parseJson(text: string | undefined): unknown {
  if (text === undefined || text === "") return undefined;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/** Formats a string for editing: JSON with an indent, everything else as it is. */
export function prettyJson(text: string | undefined): string {
  const value = parseJson(text);
  return value === undefined ? (text ?? "") : JSON.stringify(value, undefined, 2);
}
