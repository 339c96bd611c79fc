import { mustBe } from "@perdure/core/protocol";
import { isObject, mustBeKind } from "../rules/check-options.ts";
import type { DestinationPolicy } from "./policy.ts";
import { fetchTransport, type Transport } from "./transport.ts";

/** A function of this process that answers requests, such as an application's `app.fetch`. */
export type LocalEndpoint = (request: Request) => Response | Promise<Response>;

/** Functions of this process by the origins whose requests they answer, such as `https://app.example.com`. */
export type LocalEndpoints = Readonly<Record<string, LocalEndpoint>>;

/**
 * Wraps a transport so that requests to the origins of functions of this process reach these, without a connection.
 *
 * @param maxBytes the most bytes of a function's answer that are read
 */
export function withEndpoints(endpoints: LocalEndpoints, transport: Transport, maxBytes: number): Transport {
  const local = new Map(
    Object.entries(endpoints).map(([origin, endpoint]) => [
      origin,
      fetchTransport(maxBytes, async (request) => endpoint(request)),
    ]),
  );
  return {
    send: async (request) => (local.get(originOf(request.url)) ?? transport).send(request),
    close: () => transport.close(),
  };
}

/** Returns the policy for what the engine accepts: the origins of functions of this process are only names. */
export function withoutEndpoints(
  policy: DestinationPolicy,
  endpoints: LocalEndpoints = {},
): DestinationPolicy {
  const origins = new Set(Object.keys(endpoints));
  return { ...policy, refusal: (url) => (origins.has(originOf(url)) ? undefined : policy.refusal(url)) };
}

function originOf(url: string): string {
  return new URL(url).origin;
}

/** @throws TypeError for what isn't a plain object, a name that isn't an origin, and a value that isn't a function */
export function checkEndpoints(endpoints: LocalEndpoints): void {
  if (!isObject(endpoints))
    throw mustBeKind("endpoints", "an object of origins with their functions", endpoints);
  for (const [origin, endpoint] of Object.entries(endpoints)) {
    if (!/^https?:/.test(origin) || URL.parse(origin)?.origin !== origin)
      throw mustBe("endpoints: each name", 'an origin, such as "https://app.example.com"', origin);
    if (typeof endpoint !== "function")
      throw mustBeKind(
        `endpoints: the value of "${origin}"`,
        "a function from Request to Response",
        endpoint,
      );
  }
}
