import type { Dialect } from "../tx.ts";
import { encodeText } from "./text.ts";

/** The last place of a word in a text. */
const MAX_PLACE = 16_383;

/** The SQL of PostgreSQL. */
export const POSTGRES: Dialect = {
  text: encodeText,
  placeholder: (index) => `$${index}`,
  greatest: "greatest",
  position: "strpos",
  forUpdate: "FOR UPDATE OF due",
  skipLocked: "FOR UPDATE OF due SKIP LOCKED",
  list: (placeholder, of) =>
    of === "strings"
      ? `SELECT value FROM jsonb_array_elements_text(CAST(${placeholder} AS jsonb)) AS each (value)`
      : `SELECT CAST(value AS bigint) AS value FROM jsonb_array_elements_text(CAST(${placeholder} AS jsonb)) AS each (value)`,
  searchedWords: (words, bind) =>
    `CAST(${bind(words.map((word, at) => `'${word}':${Math.min(at + 1, MAX_PLACE)}`).join(" "))} AS tsvector)`,
  searchTerm: ({ words, isPrefix }, bind) =>
    `words @@ CAST(${bind(words.map((word) => `'${word}'`).join(" <-> ") + (isPrefix ? ":*" : ""))} AS tsquery)`,
};
