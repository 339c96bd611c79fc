import { promises as dns } from "node:dns";
import { type DestinationPolicy, DestinationRefused } from "./policy.ts";
import { fetchTransport, type Transport } from "./transport.ts";

/**
 * For Bun, whose own `fetch` has a pool, and looks names up by itself: what the policy is asked about is what the name
 * meant a moment before.
 */
export function defaultTransport(maxBytes: number, policy?: DestinationPolicy): Transport {
  const transport = fetchTransport(maxBytes);
  if (!policy) return transport;
  return {
    ...transport,
    async send(request) {
      const host = new URL(request.url).hostname.replace(/^\[(.*)\]$/, "$1");
      for (const { address } of await dns.lookup(host, { all: true })) {
        const why = policy.addressRefusal(host, address);
        if (why !== undefined) throw new DestinationRefused(`destination refused: ${host}: ${why}`);
      }
      return transport.send(request);
    },
  };
}
