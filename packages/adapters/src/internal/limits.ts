import type { Handler, InlineOptions } from "@perdure/core";

/** Hosts of these frameworks run a route as a function that ends, on some of them and in some plans, after ten seconds. */
const FUNCTION_LIMITS: InlineOptions = { maxDuration: "5s" };

/** The handler of a workflow with the limits of a framework whose routes are deployed as functions. */
export function withFunctionLimits(handler: Handler): Handler {
  return (request, env) => handler(request, env, FUNCTION_LIMITS);
}
