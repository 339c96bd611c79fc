import { fetchTransport, type Transport } from "./transport.ts";

/** A function of this process that answers requests, such as an application's `app.fetch`. */
export type LocalEndpoint = (request: Request) => Response | Promise<Response>;

/** Functions of this process by the origins whose requests they answer, such as `https://app.example.com`. */
export type LocalEndpoints = Readonly<Record<string, LocalEndpoint>>;

/**
 * Wraps a transport so that requests to the origins of functions of this process reach these, without a connection.
 *
 * @param maxBytes the most bytes of a function's answer that are read
 * @throws TypeError for a name that isn't an origin, and for a value that isn't a function
 */
export function withEndpoints(endpoints: LocalEndpoints, transport: Transport, maxBytes: number): Transport {
  const local = new Map(
    Object.entries(endpoints).map(([origin, endpoint]) => {
      checkEndpoint(origin, endpoint);
      return [origin, fetchTransport(maxBytes, async (request) => endpoint(request))];
    }),
  );
  return {
    send: async (request) => (local.get(new URL(request.url).origin) ?? transport).send(request),
    close: () => transport.close(),
  };
}

function checkEndpoint(origin: string, endpoint: unknown): void {
  if (!/^https?:/.test(origin) || URL.parse(origin)?.origin !== origin)
    throw new TypeError(
      `endpoints: each name must be an origin, such as "https://app.example.com"; got ${JSON.stringify(origin)}.`,
    );
  if (typeof endpoint !== "function")
    throw new TypeError(
      `endpoints: "${origin}" must have a function from Request to Response; got ${typeof endpoint}.`,
    );
}
