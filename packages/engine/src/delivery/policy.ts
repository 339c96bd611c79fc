import { mustBe } from "@perdure/core/protocol";
import ipaddr from "ipaddr.js";
import { checkOptions } from "../rules/check-options.ts";

type Address = ReturnType<typeof ipaddr.parse>;

/**
 * The destinations that deliveries may reach. Each entry is an address, a range (`10.0.0.0/8`), a host, or
 * `*.` and the end of a host.
 */
export interface DestinationRules {
  /** Destinations that the engine allows although it refuses them by default. */
  readonly allow?: readonly string[];
  /** Destinations that the engine always refuses. */
  readonly deny?: readonly string[];
}

/** Decides to which destinations the engine may send. */
export interface DestinationPolicy {
  /** The reason not to send to a URL; `undefined` when nothing in the URL itself forbids it. */
  refusal(url: string): string | undefined;
  /** Like {@link DestinationPolicy.refusal}, for an address to which a host's name resolved. */
  addressRefusal(host: string, address: string): string | undefined;
}

/** The policy forbids the destination. No attempt to reach it will ever succeed. */
export class DestinationRefused extends Error {
  override name = "DestinationRefused";
}

/** Addresses of cloud metadata services that look like public addresses. */
const METADATA: readonly string[] = ["168.63.129.16"];

/** The names of address ranges that aren't part of the public internet. */
const KINDS: Readonly<Record<string, string>> = {
  carrierGradeNat: "private",
  linkLocal: "link-local",
  private: "private",
  uniqueLocal: "private",
};

/**
 * Creates a policy. By default it allows only addresses of the public internet: no loopback, no private or
 * link-local ranges, and none of the addresses under which clouds serve secrets to their machines, whatever
 * the notation.
 *
 * @throws TypeError for an entry that is neither an address, nor a range, nor a host
 */
export function createPolicy(rules: DestinationRules): DestinationPolicy {
  checkOptions("destinations", rules, "allow deny");
  const allow = toMatcher("destinations.allow", rules.allow);
  const deny = toMatcher("destinations.deny", rules.deny);
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

/**
 * True for a public address. One eighth of IPv6 is global unicast (RFC 4291, 2.4); the rest is unassigned, or
 * has other uses.
 */
function isPublic(address: Address): boolean {
  return address.kind() === "ipv4" || address.match(...INTERNET);
}

/** The host as the URL standard parses it: decimal, octal and shortened addresses become normal ones. */
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

function toMatcher(option: string, entries: readonly string[] = []): Matcher {
  if (!Array.isArray(entries) || !entries.every((entry) => typeof entry === "string"))
    throw mustBe(option, "a list of strings", entries);
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

/** Converts an IPv4 address in IPv6 notation, or a range of such addresses, to the IPv4 address or range. */
function plain([base, bits]: [Address, number]): [Address, number] {
  if (!(base instanceof ipaddr.IPv6) || !base.isIPv4MappedAddress() || bits < 96) return [base, bits];
  return [base.toIPv4Address(), bits - 96];
}

function wholeOf(address: Address): [Address, number] {
  return [address, address.kind() === "ipv4" ? 32 : 128];
}
