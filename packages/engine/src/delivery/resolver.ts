import { type LookupAddress, promises, lookup as systemLookup } from "node:dns";
import { readFileSync, statSync } from "node:fs";
import { isIP, type LookupFunction } from "node:net";
import { join } from "node:path";
import { within } from "./within.ts";

/** Settings of {@link createLookup}. */
export interface ResolverOptions {
  /** Name servers, such as `192.0.2.1:53`. Default: the machine's. */
  readonly servers?: readonly string[];
  /** Milliseconds to wait for the name servers' answer. 4000 by default. */
  readonly timeout?: number;
  /** Path of the hosts file. Default: the machine's. */
  readonly hostsFile?: string;
  /** Look-up for names that the name servers don't know. `getaddrinfo` by default. */
  readonly system?: LookupFunction;
  /** Milliseconds for which the look-up remembers that it didn't find a name. 5000 by default. */
  readonly remember?: number;
}

/** Milliseconds to wait for the other address family once one family's addresses are known (RFC 8305, 3). */
const RESOLUTION_DELAY = 50;

/**
 * A name server's refusal that takes more milliseconds doesn't count: the server waited for others that are
 * silent.
 */
const PROMPT = 1000;

/**
 * Maximum number of concurrent look-ups by the system. The system has four threads, which files and
 * signatures need, too.
 */
const SYSTEM_THREADS = 2;

/** Maximum number of unknown names that the look-up remembers. */
const REMEMBERED = 10_000;

/**
 * Creates a look-up that uses the hosts file and, over sockets, the name servers: a silent name server blocks
 * no thread that other names need. Only when the name servers promptly answer that they don't know a name,
 * the look-up asks the system, which may know it by other means (search domains, mDNS, a directory), for two
 * names at a time.
 */
export function createLookup(options: ResolverOptions = {}): LookupFunction {
  const { timeout = 4000, remember = 5000, system = systemLookup } = options;
  const hosts = createHosts(options.hostsFile ?? HOSTS_FILE);
  const bySystem = createGate(system);
  const failures = new Map<string, { readonly error: Error; readonly until: number }>();

  const find = async (name: string): Promise<readonly LookupAddress[]> => {
    const family = isIP(name);
    if (family > 0) return [{ address: name, family }];
    const known = hosts(name) ?? (/(?:^|\.)localhost$/.test(name) ? LOOPBACK : undefined);
    if (known) return known;
    const failure = failures.get(name);
    if (failure && failure.until > performance.now()) throw failure.error;
    const deadline = performance.now() + timeout;
    try {
      return (
        (await askServers(name, options.servers, timeout)) ??
        (await within(bySystem(name), deadline - performance.now())) ??
        raise(name, timeout)
      );
    } catch (error) {
      failures.delete(name);
      failures.set(name, { error: error as Error, until: performance.now() + remember });
      const [oldest] = failures.keys();
      if (failures.size > REMEMBERED && oldest !== undefined) failures.delete(oldest);
      throw error;
    }
  };
  return (host, { family, all }, done) => {
    const wanted = Number(String(family ?? 0).replace(/^IPv/, ""));
    find(host.toLowerCase().replace(/\.$/, "")).then(
      (found) => {
        const fitting = found.filter((one) => wanted === 0 || one.family === wanted);
        const [first] = fitting;
        if (!first) done(notFound(host), "");
        else if (all) done(null, fitting);
        else done(null, first.address, first.family);
      },
      (error: Error) => done(error, ""),
    );
  };
}

/**
 * Asks the name servers for addresses; `undefined` when the system may know more.
 *
 * @throws when the name servers are silent
 */
async function askServers(
  name: string,
  servers: readonly string[] | undefined,
  timeout: number,
): Promise<LookupAddress[] | undefined> {
  const began = performance.now();
  // Each look-up creates a resolver: the machine may be in another network by now.
  const resolver = new promises.Resolver({ timeout: Math.ceil(timeout / 3), tries: 2 });
  if (servers) resolver.setServers(servers);
  const found: LookupAddress[] = [];
  const ask = async (family: 4 | 6): Promise<void> => {
    const addresses = await (family === 4 ? resolver.resolve4(name) : resolver.resolve6(name));
    if (addresses.length === 0) throw notFound(name);
    found.push(...addresses.map((address) => ({ address, family })));
  };
  const asked = [ask(4), ask(6)];
  const all = Promise.allSettled(asked);
  const first = Promise.any(asked).then(
    () => within(all, RESOLUTION_DELAY),
    () => all,
  );
  await within(first, timeout);
  if (found.length > 0) return found.toSorted((a, b) => a.family - b.family);
  return performance.now() - began < Math.min(PROMPT, timeout / 2) ? undefined : raise(name, timeout);
}

function raise(name: string, timeout: number): never {
  const error = new Error(
    `getaddrinfo EAI_AGAIN ${name}: no name server answered within ${timeout / 1000} s`,
  );
  throw Object.assign(error, { code: "EAI_AGAIN", hostname: name });
}

function notFound(name: string): Error {
  return Object.assign(new Error(`getaddrinfo ENOTFOUND ${name}`), { code: "ENOTFOUND", hostname: name });
}

/** Limits the concurrent look-ups by the system; further ones wait. */
function createGate(system: LookupFunction): (name: string) => Promise<LookupAddress[]> {
  const waiting: (() => void)[] = [];
  let asked = 0;
  const ask = (name: string): Promise<LookupAddress[]> =>
    new Promise((resolve, reject) => {
      system(name, { all: true }, (error, found) => {
        if (error) reject(error);
        else resolve(found as LookupAddress[]);
      });
    });
  return async (name) => {
    if (asked >= SYSTEM_THREADS) await new Promise<void>((resolve) => waiting.push(resolve));
    else asked++;
    try {
      return await ask(name);
    } finally {
      const next = waiting.shift();
      if (next) next();
      else asked--;
    }
  };
}

const LOOPBACK: readonly LookupAddress[] = [
  { address: "127.0.0.1", family: 4 },
  { address: "::1", family: 6 },
];

const HOSTS_FILE =
  process.platform === "win32"
    ? join(process.env.SystemRoot ?? "C:\\Windows", "System32", "drivers", "etc", "hosts")
    : "/etc/hosts";

/** Creates a look-up in a hosts file. It reads the file again after each change. */
function createHosts(file: string): (name: string) => readonly LookupAddress[] | undefined {
  let read = { version: "", names: new Map<string, LookupAddress[]>() };
  return (name) => {
    try {
      const { mtimeMs, size, ino } = statSync(file);
      const version = `${mtimeMs} ${size} ${ino}`;
      if (version !== read.version) read = { version, names: parseHosts(readFileSync(file, "utf8")) };
    } catch {
      read = { version: "", names: new Map() }; // Not every machine has a hosts file.
    }
    return read.names.get(name);
  };
}

function parseHosts(text: string): Map<string, LookupAddress[]> {
  const names = new Map<string, LookupAddress[]>();
  for (const line of text.split("\n")) {
    const [address = "", ...own] = line.replace(/#.*/, "").trim().split(/\s+/);
    const family = isIP(address);
    if (family === 0 || address.includes("%")) continue;
    for (const name of own) {
      const lower = name.toLowerCase();
      names.set(
        lower,
        [...(names.get(lower) ?? []), { address, family }].sort((a, b) => a.family - b.family),
      );
    }
  }
  return names;
}
