import { stripVTControlCharacters } from "node:util";

/**
 * Invisible characters that change how a terminal shows others: controls and direction marks, but not emoji
 * joiners.
 */
const INVISIBLE = /(?!\u200d)[\p{Cc}\p{Cf}]/gu;

/**
 * Makes an untrusted string safe for a terminal: one line, without escape sequences, controls and direction
 * marks.
 */
export function printable(text: string): string {
  return stripVTControlCharacters(text)
    .replace(INVISIBLE, (one) => (/[\t\n\v\f\r]/.test(one) ? " " : ""))
    .replace(/\s+/g, " ")
    .trim();
}

/** Makes an untrusted text safe for a terminal like {@link printable}, and keeps its lines and spaces. */
export function printableLines(text: string): string {
  return stripVTControlCharacters(text).replace(/(?![\t\n\u200d])[\p{Cc}\p{Cf}]/gu, "");
}

/** Characters that JSON doesn't escape and terminals interpret: control characters and direction marks. */
const UNESCAPED = /[\u007f-\u009f\p{Cf}\u2028\u2029]/gu;

/**
 * Serializes a value as JSON that is safe for a terminal, and parses to the same value.
 *
 * @param indent the spaces for each level; without it, the result is one line
 */
export function printableJson(value: unknown, indent?: number): string {
  return JSON.stringify(value, undefined, indent).replace(UNESCAPED, (character) =>
    character
      .split("")
      .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`)
      .join(""),
  );
}

/** Copies a value with every string in it made {@link printable}. */
export function printableIn<Value>(value: Value): Value {
  return map(value) as Value;
}

function map(value: unknown): unknown {
  if (typeof value === "string") return printable(value);
  if (Array.isArray(value)) return value.map(map);
  if (typeof value !== "object" || value === null || value instanceof Error) return value;
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, map(one)]));
}

const COLOR = "\u001b[";
const PARTS = new RegExp(`${COLOR.replace("[", "\\[")}[\\d;]*m|.`, "gsu");
const WIDE =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}/u;
const NO_WIDTH = /\p{M}|\u200d/u;

/** Cuts a line, with or without colours, to a number of columns. */
export function cutTo(columns: number, line: string): string {
  let width = 0;
  let cut = "";
  for (const [part] of line.matchAll(PARTS)) {
    if (part.startsWith(COLOR)) {
      cut += part;
      continue;
    }
    width += widthOf(part);
    // The last column is for the ellipsis, if visible characters follow.
    if (width >= columns && (width > columns || cutRest(line, cut, part)))
      return cut.includes(COLOR) ? `${cut}…${COLOR}0m` : `${cut}…`;
    cut += part;
  }
  return cut;
}

/** Returns true if visible characters follow. */
function cutRest(line: string, before: string, part: string): boolean {
  return stripVTControlCharacters(line.slice(before.length + part.length)) !== "";
}

/** Returns the number of columns that a line takes in a terminal. Colours take none. */
export function columnsOf(line: string): number {
  let width = 0;
  for (const character of stripVTControlCharacters(line)) width += widthOf(character);
  return width;
}

function widthOf(character: string): number {
  if (NO_WIDTH.test(character)) return 0;
  return WIDE.test(character) ? 2 : 1;
}
