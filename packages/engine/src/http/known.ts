import { notFound } from "../rules/engine-error.ts";

/** Returns the result of a query. @throws EngineError `not_found` when it is undefined */
export function known<Found>(found: Found | undefined, what: string): Found {
  if (found === undefined) throw notFound(what);
  return found;
}
