/** Reasons to refuse JSON before it is parsed. */
export type Fault =
  /**
   * An object has this name twice, so that two parsers may read different values, or the name is `__proto__`.
   */
  | { readonly kind: "name"; readonly name: string }
  /** The JSON is nested too deeply. The search didn't read the rest. */
  | { readonly kind: "depth" }
  /** The JSON has more items or values than the engine parses at once. The search didn't read the rest. */
  | { readonly kind: "items" | "values"; readonly most: number };

/**
 * No real JSON is nested this deeply. Code that reads or writes nested values recurses once for each level.
 */
export const MAX_DEPTH = 1000;

/** Parsing more values would noticeably delay other requests and deliveries. */
export const MAX_VALUES = 50_000;

/**
 * The characters, names and quotation marks that the search reads between two pauses: a few milliseconds'
 * work.
 */
const STEPS_AT_ONCE = 50_000;

/**
 * Finds the first {@link Fault} of a JSON string, which may be malformed. Reports too many items, values or
 * levels immediately, before any other fault. Pauses after every few milliseconds' work.
 *
 * @param mostItems the most items that the outermost list may have
 */
export function* findFault(json: string, mostItems: number): Generator<void, Fault | undefined> {
  // The names of each open object; `undefined` for a list.
  const open: (Set<string> | undefined)[] = [];
  let fault: Fault | undefined;
  let [items, values, steps] = [0, 0, 0];
  for (let at = 0; at < json.length; at++) {
    if (++steps % STEPS_AT_ONCE === 0) yield;
    switch (json.charCodeAt(at)) {
      case 0x2c: // ,
        if (++values >= MAX_VALUES) return { kind: "values", most: MAX_VALUES };
        if (open.length === 1 && !open[0] && ++items >= mostItems) return { kind: "items", most: mostItems };
        break;
      case 0x5b: // [
      case 0x7b: // {
        if (++values >= MAX_VALUES) return { kind: "values", most: MAX_VALUES };
        if (open.length === MAX_DEPTH) return { kind: "depth" };
        open.push(json[at] === "{" ? new Set(["__proto__"]) : undefined);
        break;
      case 0x5d: // ]
      case 0x7d: // }
        open.pop();
        break;
      case 0x22: {
        const start = at;
        do {
          at = json.indexOf('"', at + 1);
          if (++steps % STEPS_AT_ONCE === 0) yield;
        } while (isEscaped(json, at));
        if (at < 0) return fault;
        const names = open.at(-1);
        if (fault || !names || !isName(json, at + 1)) break;
        const name = textOf(json.slice(start, at + 1));
        if (names.has(name)) fault = { kind: "name", name };
        names.add(name);
        break;
      }
    }
  }
  return fault;
}

/** True when an odd number of backslashes precedes a character. */
function isEscaped(json: string, at: number): boolean {
  let escapes = 0;
  while (json[at - 1 - escapes] === "\\") escapes++;
  return escapes % 2 === 1;
}

function textOf(written: string): string {
  if (!written.includes("\\")) return written.slice(1, -1);
  try {
    return JSON.parse(written);
  } catch {
    return written; // The parser will refuse all of it.
  }
}

/** True when the next character is a colon, after white space. */
function isName(json: string, from: number): boolean {
  let at = from;
  while (json[at] === " " || json[at] === "\n" || json[at] === "\r" || json[at] === "\t") at++;
  return json[at] === ":";
}
