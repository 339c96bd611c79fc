import type { LookupAddress } from "node:dns";
import type { LookupFunction } from "node:net";
import { type DestinationPolicy, DestinationRefused } from "./policy.ts";

/** Knows of a name only the addresses that the policy lets through: no connection to any other is ever begun. */
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
