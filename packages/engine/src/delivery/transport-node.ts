import { lookup } from "node:dns";
import type { LookupFunction } from "node:net";
import { Agent, type Dispatcher } from "undici";
import { type DestinationPolicy, DestinationRefused } from "./policy.ts";
import { readUpTo, type Transport } from "./transport.ts";

/**
 * For Node and Deno: connections are kept and shared. With a policy, what counts is the address that is connected to: a
 * name that means another one by then gains nothing.
 */
export function defaultTransport(maxBytes: number, policy?: DestinationPolicy): Transport {
  const agent = new Agent({
    // How long an attempt may take is the message's own affair.
    headersTimeout: 0,
    bodyTimeout: 0,
    pipelining: 1,
    ...(policy ? { connect: { lookup: guardedLookup(policy) } } : {}),
  });
  return {
    async send({ url, method, headers, body, signal, maxBytes: most = maxBytes }) {
      const target = new URL(url);
      const answer = await agent.request({
        origin: target.origin,
        path: rawPath(url) ?? target.pathname + target.search,
        method: method as Dispatcher.HttpMethod,
        headers,
        body: body === undefined ? null : body,
        signal,
      });
      const read = await readUpTo(answer.body, most);
      return { status: answer.statusCode, headers: toLists(answer.headers), ...read };
    },
    close: () => agent.destroy(),
  };
}

/** What a URL says behind its host, byte for byte, where a request can carry that. */
function rawPath(url: string): string | undefined {
  const path = /^https?:\/\/[^/?#\\]*([^#]*)/i.exec(url)?.[1];
  if (path === undefined || !/^[\x21-\x5b\x5d-\x7e]*$/.test(path)) return undefined;
  return path.startsWith("/") ? path : `/${path}`;
}

/** Knows of a name only the addresses that the policy lets through. */
function guardedLookup(policy: DestinationPolicy): LookupFunction {
  return (host, options, done) => {
    lookup(host, { ...options, all: true }, (error, addresses) => {
      if (error) return done(error, "");
      const open = addresses.filter(({ address }) => policy.addressRefusal(host, address) === undefined);
      const [first] = open;
      if (first) return options.all ? done(null, open) : done(null, first.address, first.family);
      const why = policy.addressRefusal(host, addresses[0]?.address ?? "") ?? "";
      done(new DestinationRefused(`destination refused: ${host}: ${why}`), "");
    });
  };
}

function toLists(headers: Record<string, string | string[] | undefined>): Record<string, string[]> {
  const lists: Record<string, string[]> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) lists[name] = typeof value === "string" ? [value] : value;
  }
  return lists;
}
