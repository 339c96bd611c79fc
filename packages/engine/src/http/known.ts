import { notFound } from "../rules/engine-error.ts";

/** Passes on what a query has found. @throws EngineError `not_found` for nothing */
export function known<Found>(found: Found | undefined, what: string): Found {
  if (found === undefined) throw notFound(what);
  return found;
}
