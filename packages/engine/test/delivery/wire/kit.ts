import type { LookupFunction } from "node:net";
import { afterEach } from "vitest";
import type { OutgoingRequest, Transport } from "../../../src/delivery/transport.ts";
import { type PoolOptions, poolTransport } from "../../../src/delivery/transport-pool.ts";
import { type Answerer, serveWire, type WireServer } from "./server.ts";

export interface Kit {
  serve(answer?: Answerer, host?: string): Promise<WireServer>;
  pool(options?: Partial<PoolOptions>): Transport;
}

/** Servers and transports that end with the test. */
export function useKit(): Kit {
  const ends: (() => Promise<void>)[] = [];
  afterEach(async () => {
    for (const end of ends.splice(0).toReversed()) await end();
  });
  return {
    async serve(answer, host) {
      const server = await serveWire(answer, host);
      ends.push(server.close);
      return server;
    },
    pool(options) {
      const transport = poolTransport({ maxBytes: 1000, ...options });
      ends.push(() => transport.close());
      return transport;
    },
  };
}

export function request(url: string, more: Partial<OutgoingRequest> = {}): OutgoingRequest {
  return { url, method: "POST", headers: {}, body: undefined, signal: new AbortController().signal, ...more };
}

/** A resolver that answers every name with these, and counts how often it was asked. */
export function resolver(answers: (asked: number) => readonly string[]): LookupFunction & { asked: number } {
  const lookup: LookupFunction & { asked: number } = Object.assign(
    (...[, options, done]: Parameters<LookupFunction>) => {
      const found = answers(lookup.asked++).map((address) => ({
        address,
        family: address.includes(":") ? 6 : 4,
      }));
      const [first] = found;
      setImmediate(() => {
        if (options.all) done(null, found);
        else done(null, first?.address ?? "", first?.family);
      });
    },
    { asked: 0 },
  );
  return lookup;
}

/** Waits for what comes by itself, and is then true. */
export async function until(holds: () => boolean): Promise<void> {
  const end = Date.now() + 15_000;
  while (!holds()) {
    if (Date.now() > end) throw new Error(`it didn't come to ${holds}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

export const text = (body: Uint8Array): string => new TextDecoder().decode(body);

/** What a promise is rejected with. */
export async function rejection(promise: Promise<unknown>): Promise<Error> {
  const outcome = await promise.then(
    (value) => ({ value }),
    (error: Error) => error,
  );
  if (outcome instanceof Error) return outcome;
  throw new Error(`it was answered: ${JSON.stringify(outcome.value)}`);
}
