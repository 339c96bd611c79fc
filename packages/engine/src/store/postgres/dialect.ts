import type { Dialect } from "../tx.ts";

/** The SQL of PostgreSQL. */
export const POSTGRES: Dialect = {
  placeholder: (index) => `$${index}`,
  greatest: "greatest",
  position: "strpos",
  skipLocked: "FOR UPDATE OF due SKIP LOCKED",
  list: (placeholder, of) =>
    of === "strings"
      ? `SELECT value FROM jsonb_array_elements_text(CAST(${placeholder} AS jsonb)) AS each (value)`
      : `SELECT CAST(value AS bigint) AS value FROM jsonb_array_elements_text(CAST(${placeholder} AS jsonb)) AS each (value)`,
};
