import type { Dialect } from "../tx.ts";
import { encodeText } from "./text.ts";

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
};
