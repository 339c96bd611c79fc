import { EngineError } from "../rules/engine-error.ts";

/** The error of a list that takes longer than the limit. */
export function queryTimeout(ms: number, cause?: unknown): EngineError {
  return new EngineError(
    "query_timeout",
    `the query took longer than ${ms / 1000}s: narrow its filters, such as its period, or raise timeouts.query`,
    { cause },
  );
}
