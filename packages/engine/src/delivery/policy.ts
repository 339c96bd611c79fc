import { checkOptions } from "@perdure/core/protocol";
import ipaddr from "ipaddr.js";

type Address = ReturnType<typeof ipaddr.parse>;

/** Where deliveries may go. Each entry is an address, a range (`10.0.0.0/8`), a host, or `*.` and the end of one. */
export interface DestinationRules {
  /** Exceptions from what is refused by default. */
  readonly allow?: readonly string[];
  /** Refused in any case. */
  readonly deny?: readonly string[];
}

/** Tells destinations that may be sent to from those that may not. */
export interface DestinationPolicy {
  /** Why nothing may be sent to a URL, as far as its text tells; `undefined` when nothing in it forbids that. */
  refusal(url: string): string | undefined;
  /** As {@link DestinationPolicy.refusal}, of an address that a host's name has turned out to mean. */
  addressRefusal(host: string, address: string): string | undefined;
}

/** A destination that the policy forbids. No attempt to reach it will ever succeed. */
export class DestinationRefused extends Error {
  override name = "DestinationRefused";
}

/** Answers the machines of a cloud from an address that looks like any other. */
const METADATA: readonly string[] = ["168.63.129.16"];

/** The names of address ranges that aren't part of the public internet. */
const KINDS: Readonly<Record<string, string>> = {
  carrierGradeNat: "private",
  linkLocal: "link-local",
  private: "private",
  uniqueLocal: "private",
};

/**
 * By default only addresses of the public internet may be sent to: no loopback, no private or link-local ranges, none of
 * the addresses under which clouds tell machines their secrets, in whatever way they are written.
 *
 * @throws TypeError for an entry that is neither an address, nor a range, nor a host
 */
export function createPolicy(rules: DestinationRules): DestinationPolicy {
  checkOptions("destinations", rules, "allow deny");
  const allow = toMatcher(rules.allow ?? []);
  const deny = toMatcher(rules.deny ?? []);
  const ofAddress = (address: Address, trusted: boolean): string | undefined => {
    if (deny.address(address)) return `${address} is denied`;
    if (trusted || allow.address(address)) return undefined;
    if (METADATA.includes(address.toString())) return `${address} is a metadata address`;
    const range = address.range();
    if (range === "unicast" && isPublic(address)) return undefined;
    const kind = range === "unicast" ? "reserved" : (KINDS[range] ?? range);
    return `endpoint resolves to a ${kind} address: ${address} (perdure start --allow-destination ${address} allows it)`;
  };
  return {
    refusal(url) {
      const host = hostOf(url);
      if (deny.host(host)) return `${host} is denied`;
      const trusted = allow.host(host);
      if (ipaddr.isValid(host)) return ofAddress(ipaddr.process(host), trusted);
      const local = host === "localhost" || host.endsWith(".localhost");
      return local && !trusted
        ? `endpoint resolves to a loopback address: ${host} (perdure start --allow-destination ${host} allows it)`
        : undefined;
    },
    addressRefusal: (host, address) => ofAddress(ipaddr.process(address), allow.host(tidy(host))),
  };
}

const INTERNET = ipaddr.parseCIDR("2000::/3");

/** True for a public address. One eighth of IPv6 is global unicast (RFC 4291, 2.4); the rest is unassigned, or has other uses. */
function isPublic(address: Address): boolean {
  return address.kind() === "ipv4" || address.match(...INTERNET);
}

/** The host as the URL standard reads it: decimal, octal and shortened addresses come out as what they mean. */
function hostOf(url: string): string {
  return tidy(new URL(url).hostname);
}

function tidy(host: string): string {
  return host
    .toLowerCase()
    .replace(/^\[(.*)\]$/, "$1")
    .replace(/\.$/, "");
}

interface Matcher {
  host(host: string): boolean;
  address(address: Address): boolean;
}

function toMatcher(entries: readonly string[]): Matcher {
  const hosts: string[] = [];
  const endings: string[] = [];
  const ranges: [Address, number][] = [];
  for (const text of entries) {
    const entry = tidy(text.trim());
    if (ipaddr.isValidCIDR(entry)) ranges.push(plain(ipaddr.parseCIDR(entry)));
    else if (ipaddr.isValid(entry)) ranges.push(wholeOf(ipaddr.process(entry)));
    else if (/^\*\.[a-z0-9_.-]+$/.test(entry)) endings.push(entry.slice(1));
    else if (/^[a-z0-9_.-]+$/.test(entry)) hosts.push(entry);
    else throw new TypeError(`"${text}" is no address, no range such as 10.0.0.0/8, and no host.`);
  }
  return {
    host: (host) => hosts.includes(host) || endings.some((ending) => host.endsWith(ending)),
    address: (address) =>
      ranges.some(([base, bits]) => base.kind() === address.kind() && address.match(base, bits)),
  };
}

/** Addresses of IPv4 that are written as IPv6 are judged as what they stand for; so is a range of them. */
function plain([base, bits]: [Address, number]): [Address, number] {
  if (!(base instanceof ipaddr.IPv6) || !base.isIPv4MappedAddress() || bits < 96) return [base, bits];
  return [base.toIPv4Address(), bits - 96];
}

function wholeOf(address: Address): [Address, number] {
  return [address, address.kind() === "ipv4" ? 32 : 128];
}
