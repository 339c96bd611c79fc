/** JSON where it is JSON, the text itself where not, `undefined` where there is none. */
export function parseLeniently(text: string): unknown {
  if (text === "") return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
