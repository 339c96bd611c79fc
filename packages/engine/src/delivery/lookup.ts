import type { LookupAddress } from "node:dns";
import type { LookupFunction } from "node:net";
import { type DestinationPolicy, DestinationRefused } from "./policy.ts";

type Answer = (error: NodeJS.ErrnoException | null, addresses: readonly LookupAddress[]) => void;

/** Shares look-ups: concurrent requests for one name cause a single query. */
export function sharedLookup(lookup: LookupFunction): LookupFunction {
  const waiting = new Map<string, Answer[]>();
  return (host, options, done) => {
    const answer: Answer = (error, addresses) => {
      const [first] = addresses;
      if (error || options.all || !first) done(error, [...addresses]);
      else done(null, first.address, first.family);
    };
    const key = `${options.family ?? ""} ${options.hints ?? ""} ${host}`;
    const others = waiting.get(key);
    if (others) return void others.push(answer);
    waiting.set(key, [answer]);
    lookup(host, { ...options, all: true }, (error, found) => {
      const all = waiting.get(key) ?? [];
      waiting.delete(key);
      for (const tell of all) tell(error, error ? [] : (found as LookupAddress[]));
    });
  };
}

/** Returns only the addresses that the policy allows, so that no connection to another one ever begins. */
export function guardedLookup(policy: DestinationPolicy, lookup: LookupFunction): LookupFunction {
  return (host, options, done) => {
    lookup(host, { ...options, all: true }, (error, found) => {
      if (error) return done(error, "");
      const addresses = found as LookupAddress[];
      const open = addresses.filter(({ address }) => policy.addressRefusal(host, address) === undefined);
      const [first] = open;
      if (first) return options.all ? done(null, open) : done(null, first.address, first.family);
      const [refused] = addresses;
      const why = refused ? policy.addressRefusal(host, refused.address) : "it has no address";
      done(new DestinationRefused(`destination refused: ${host}: ${why}`), "");
    });
  };
}

/**
 * Calls `begin` when a look-up begins, and delays a found address until the function that `begin` returned
 * resolves. A failed look-up doesn't wait.
 */
export function announced(lookup: LookupFunction, begin: () => () => Promise<void>): LookupFunction {
  return (host, options, done) => {
    const found = begin();
    lookup(host, options, (error, address, family) => {
      if (error) done(error, address, family);
      else void found().then(() => done(null, address, family));
    });
  };
}
