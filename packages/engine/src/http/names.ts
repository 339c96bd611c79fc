/** What JSON that is well formed isn't taken for. */
export type Fault = { readonly kind: "name"; readonly name: string } | { readonly kind: "depth" };

/** Deeper than anybody means it. Whatever takes apart or writes what is in each other calls itself for each level. */
export const DEEPEST = 1000;

/**
 * The first name that an object has twice: of two readers one may take the one value, and one the other. Or `__proto__`,
 * which isn't kept as a name by all that goes through objects here. Or that it is nested deeper than {@link DEEPEST}.
 *
 * @param json that is well formed
 */
export function faultOf(json: string): Fault | undefined {
  // A list has no names.
  const open: (Set<string> | undefined)[] = [];
  for (let at = 0; at < json.length; at++) {
    switch (json.charCodeAt(at)) {
      case 0x5b: // [
      case 0x7b: // {
        if (open.length === DEEPEST) return { kind: "depth" };
        open.push(json[at] === "{" ? new Set(["__proto__"]) : undefined);
        break;
      case 0x5d: // ]
      case 0x7d: // }
        open.pop();
        break;
      case 0x22: {
        const start = at;
        at = endOfText(json, start);
        if (!isName(json, at + 1)) break;
        const name = textOf(json.slice(start, at + 1));
        const names = open.at(-1);
        if (names?.has(name)) return { kind: "name", name };
        names?.add(name);
        break;
      }
    }
  }
  return undefined;
}

/** Where the text that begins at a quotation mark has its other one. */
function endOfText(json: string, start: number): number {
  let end = start;
  let escapes: number;
  do {
    end = json.indexOf('"', end + 1);
    escapes = 0;
    while (json[end - 1 - escapes] === "\\") escapes++;
  } while (escapes % 2 === 1);
  return end;
}

function textOf(written: string): string {
  return written.includes("\\") ? JSON.parse(written) : written.slice(1, -1);
}

/** Whether a colon comes next. */
function isName(json: string, from: number): boolean {
  let at = from;
  while (json[at] === " " || json[at] === "\n" || json[at] === "\r" || json[at] === "\t") at++;
  return json[at] === ":";
}
