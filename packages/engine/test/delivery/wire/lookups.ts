import { createSocket } from "node:dgram";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { LookupFunction } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { createLookup, type ResolverOptions } from "../../../src/delivery/resolver.ts";
import { until } from "./kit.ts";

const [A, NXDOMAIN] = [1, 3];

/** What a name server says of a name: an address, that there is none, or nothing at all. */
type Says = (name: string, type: number) => string | "none" | undefined;

/** Names are looked up by real name servers, on UDP. */
export function lookups(): void {
  describe("a look-up", () => {
    const ends: (() => void)[] = [];
    afterEach(() => {
      for (const end of ends.splice(0)) end();
    });

    async function serve(says: Says): Promise<{ servers: string[]; asked: string[] }> {
      const socket = createSocket("udp4");
      const asked: string[] = [];
      socket.on("message", (query, { port, address }) => {
        const { name, type, end } = readQuestion(query);
        asked.push(name);
        const said = says(name, type);
        if (said !== undefined) socket.send(answerTo(query.subarray(0, end), said), port, address);
      });
      socket.bind(0, "127.0.0.1");
      await once(socket, "listening");
      ends.push(() => socket.close());
      return { servers: [`127.0.0.1:${socket.address().port}`], asked };
    }

    const unknown: LookupFunction = (host, _options, done) =>
      setImmediate(() =>
        done(Object.assign(new Error(`getaddrinfo ENOTFOUND ${host}`), { code: "ENOTFOUND" }), ""),
      );
    const create = (options: ResolverOptions): LookupFunction =>
      createLookup({ hostsFile: "/nowhere/hosts", system: unknown, ...options });
    const ask = (lookup: LookupFunction, host: string, family = 0): Promise<string | string[]> =>
      new Promise((resolve, reject) => {
        lookup(host, { all: true, family }, (error, found) => {
          if (error) reject(error);
          else resolve([found].flat().map((one) => (typeof one === "string" ? one : one.address)));
        });
      });
    const well: Says = (name, type) => {
      if (name.startsWith("dead")) return undefined;
      if (name === "none.test") return "none";
      return type === A ? "192.0.2.7" : "none";
    };

    it("waits for no other whose name server is silent, however many there are", async () => {
      const { servers, asked } = await serve(well);
      const lookup = create({ servers, timeout: 3000 });
      let over = 0;
      const dead = Array.from({ length: 40 }, (_, at) =>
        ask(lookup, `dead${at}.test`).catch((error) => {
          over++;
          return error;
        }),
      );
      await until(() => new Set(asked).size === 40);
      for (let at = 0; at < 5; at++) expect(await ask(lookup, `well${at}.test`)).toEqual(["192.0.2.7"]);
      expect(over).toBe(0);
      for (const error of await Promise.all(dead)) expect(error.code).toBe("EAI_AGAIN");
    });

    it("doesn't wait for the other kind of addresses when it has some", async () => {
      const { servers } = await serve((name, type) => (type === A ? well(name, type) : undefined));
      expect(await ask(create({ servers, timeout: 60_000 }), "well.test")).toEqual(["192.0.2.7"]);
    });

    it("that failed is remembered for a moment", async () => {
      const { servers, asked } = await serve(well);
      const lookup = create({ servers, remember: 60_000 });
      for (let at = 0; at < 3; at++) {
        const error = await ask(lookup, "none.test").catch((reason: Error) => reason);
        expect(String(error)).toContain("getaddrinfo ENOTFOUND none.test");
      }
      expect(asked.length).toBeLessThan(6);
      const brief = create({ servers, remember: 0 });
      for (let at = 0; at < 2; at++) await ask(brief, "none.test").catch(() => undefined);
      expect(asked.length).toBeGreaterThan(3);
    });

    it("asks the system for what name servers don't know, a few at a time, and holds up no others", async () => {
      const { servers } = await serve((name, type) => (name.startsWith("well") ? well(name, type) : "none"));
      const waiting: (() => void)[] = [];
      const names: string[] = [];
      const system: LookupFunction = (host, _options, done) => {
        names.push(host);
        waiting.push(() => done(null, [{ address: "192.0.2.9", family: 4 }]));
      };
      const lookup = create({ servers, system, timeout: 60_000 });
      const all = ["one", "two", "three"].map((name) => ask(lookup, name));
      await until(() => names.length === 2);
      expect(await ask(lookup, "well.test")).toEqual(["192.0.2.7"]);
      expect(names).toHaveLength(2);
      waiting.shift()?.();
      await until(() => names.length === 3);
      for (const answer of waiting) answer();
      expect(await Promise.all(all)).toEqual(Array(3).fill(["192.0.2.9"]));
    });

    it("reads the hosts file before all else, and again when it has changed", async () => {
      const folder = mkdtempSync(join(tmpdir(), "perdure-hosts-"));
      ends.push(() => rmSync(folder, { recursive: true }));
      const hostsFile = join(folder, "hosts");
      const { servers, asked } = await serve(well);
      const lookup = create({ servers, hostsFile });
      writeFileSync(
        hostsFile,
        "# a comment\n\n::2 Other.Test\n192.0.2.1\tother.test alias # more\nnone x.test\n",
      );
      expect(await ask(lookup, "other.test")).toEqual(["192.0.2.1", "::2"]);
      expect(await ask(lookup, "OTHER.test.", 6)).toEqual(["::2"]);
      expect(await ask(lookup, "alias")).toEqual(["192.0.2.1"]);
      writeFileSync(hostsFile, "192.0.2.33 other.test");
      expect(await ask(lookup, "other.test")).toEqual(["192.0.2.33"]);
      expect(asked).toEqual([]);
    });

    it("of localhost, and below it, is loopback without anybody's word", async () => {
      const { servers, asked } = await serve(well);
      const lookup = create({ servers });
      for (const host of ["localhost", "LOCALHOST.", "app.localhost"]) {
        expect(await ask(lookup, host)).toEqual(["127.0.0.1", "::1"]);
      }
      expect(asked).toEqual([]);
    });
  });
}

function readQuestion(query: Uint8Array): { name: string; type: number; end: number } {
  const labels: string[] = [];
  let at = 12;
  for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
    labels.push(new TextDecoder().decode(query.subarray(at + 1, at + 1 + length)));
    at += length + 1;
  }
  return {
    name: labels.join(".").toLowerCase(),
    type: (query[at + 1] ?? 0) * 256 + (query[at + 2] ?? 0),
    end: at + 5,
  };
}

/** @param question with its header, and without what may come behind it */
function answerTo(question: Uint8Array, said: string): Uint8Array {
  const none = said === "none";
  const head = Uint8Array.from(question);
  // An answer, with recursion; one question, and one record or none.
  head.set([0x81, 0x80 + (none ? NXDOMAIN : 0), 0, 1, 0, none ? 0 : 1, 0, 0, 0, 0], 2);
  if (none) return head;
  const record = [0xc0, 12, 0, A, 0, 1, 0, 0, 0, 60, 0, 4, ...said.split(".").map(Number)];
  return Uint8Array.from([...head, ...record]);
}
