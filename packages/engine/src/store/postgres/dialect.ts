import type { Dialect } from "../tx.ts";
import { encodeText } from "./text.ts";

/** The last place of a word in a text. */
const MAX_PLACE = 16_383;

function toElement(value: string | number): string {
  return typeof value === "number" ? String(value) : `"${encodeText(value).replace(/["\\]/g, "\\$&")}"`;
}

/** Words as a value of PostgreSQL's type `tsvector`. */
export function toVector(words: readonly string[]): string {
  return words.map((word, at) => `'${word}':${Math.min(at + 1, MAX_PLACE)}`).join(" ");
}

/** The SQL of PostgreSQL. */
export const POSTGRES: Dialect = {
  text: encodeText,
  placeholder: (index) => `$${index}`,
  greatest: "greatest",
  position: "strpos",
  forUpdate: "FOR UPDATE OF due",
  skipLocked: "FOR UPDATE OF due SKIP LOCKED",
  // PostgreSQL takes such a list to have 10 values, and one that is read from JSON to have 100: for so many it reads whole tables.
  list: (placeholder, of) =>
    `SELECT value FROM unnest(CAST(${placeholder} AS ${of === "strings" ? "text" : "bigint"}[])) AS each (value)`,
  listValue: (values) => `{${values.map(toElement).join(",")}}`,
  searchedWords: (words, bind) => `CAST(${bind(toVector(words))} AS tsvector)`,
  searchTerm: ({ words, isPrefix }, bind) =>
    `words @@ CAST(${bind(words.map((word) => `'${word}'`).join(" <-> ") + (isPrefix ? ":*" : ""))} AS tsquery)`,
};
