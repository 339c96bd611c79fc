import { newDatabase } from "@perdure/test-support/postgres-database";
import { afterEach, describe, expect, it } from "vitest";
import { openPostgres } from "../../src/index.ts";
import { ClientSession } from "../../src/store/postgres/client.ts";
import { PostgresDriver, type Sessions } from "../../src/store/postgres/driver.ts";
import { failureOf } from "../../src/store/postgres/faults.ts";
import { readLocation } from "../../src/store/postgres/location.ts";
import type { PostgresSession } from "../../src/store/postgres/session.ts";
import { sql } from "../../src/store/tx.ts";
import { StoreUnavailable } from "../../src/store/unavailable.ts";
import { withClient } from "./database.ts";

const ends: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

interface Limited {
  readonly url: string;
  allow(connections: number): Promise<void>;
  /** The number of connections to the database. */
  open(): Promise<number>;
  /** Ends all connections to the database. */
  cut(): Promise<void>;
}

/** Creates a database for so many connections, whose user isn't exempt from the limit as a superuser is. */
async function limitedTo(connections: number): Promise<Limited> {
  const url = new URL(newDatabase());
  const name = url.searchParams.get("schema") ?? "";
  const server = newDatabase();
  await withClient(server, async (client) => {
    await client.unsafe(`CREATE ROLE ${name} LOGIN PASSWORD 'pw'`);
    await client.unsafe(`CREATE DATABASE ${name} OWNER ${name} CONNECTION LIMIT ${connections}`);
  });
  Object.assign(url, { username: name, password: "pw", pathname: `/${name}` });
  url.searchParams.delete("schema");
  return {
    url: url.href,
    async allow(most) {
      await withClient(server, (client) => client.unsafe(`ALTER DATABASE ${name} CONNECTION LIMIT ${most}`));
    },
    open: () =>
      withClient(server, async (client) => {
        const rows = await client`SELECT 1 FROM pg_stat_activity WHERE datname = ${name}`;
        return rows.length;
      }),
    async cut() {
      await withClient(
        server,
        (client) => client`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = ${name}`,
      );
    },
  };
}

function sessions(url: string, count: number): ClientSession[] {
  return Array.from({ length: count }, () => new ClientSession(readLocation(url), { name: "few" }));
}

function forBoth(url: string): Partial<Sessions> {
  const both = sessions(url, 3);
  return { writers: both, readers: both };
}

function driverFor(url: string, writers: number, readers: number, more: Partial<Sessions> = {}) {
  const driver = new PostgresDriver({
    writers: sessions(url, writers),
    readers: sessions(url, readers),
    ...more,
  });
  ends.push(() => driver.close());
  return driver;
}

const one = sql`SELECT 1 AS one`;
const slow = sql`SELECT pg_sleep(0.02)`;

/** The milliseconds that some work takes. */
async function time(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

describe("a server that grants fewer connections than an engine wants", () => {
  it("slows no request down while others are open, and one warning says so", async () => {
    const { url, open } = await limitedTo(5);
    const warnings: string[] = [];
    const store = await openPostgres(url, { warn: (warning) => warnings.push(warning) });
    ends.push(() => store.close());
    const times: number[] = [];
    for (let round = 0; round < 20; round++) {
      const requests = Array.from({ length: 20 }, () => Promise.all([store.probe(), store.setting("probe")]));
      times.push(await time(() => Promise.all(requests)));
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    expect(Math.max(...times)).toBeLessThan(3000);
    expect(await open()).toBe(5);
    // The background has no connection left.
    expect(await time(() => store.unindexedRuns(1))).toBeLessThan(3000);
    // The one that listens may be late.
    expect(warnings).toEqual([
      expect.stringMatching(
        /^The engine works on [34] of 7 connections, .*: its server has too many connections \(too many connections for database/,
      ),
    ]);
  });

  it.each([
    ["with sessions of their own", 3, 4, () => ({})],
    ["with sessions that do all of it", 0, 0, forBoth],
  ])("does all kinds of work on one connection, %s", async (_, writers, readers, more) => {
    const { url } = await limitedTo(1);
    const driver = driverFor(url, writers, readers, more(url));
    for (let round = 0; round < 3; round++) {
      const took = await time(() =>
        Promise.all(
          Array.from({ length: 15 }, () => [
            driver.read((tx) => tx.one(one)),
            driver.list((tx) => tx.one(one)),
            driver.write((tx) => tx.one(one)),
          ]).flat(),
        ),
      );
      expect(took).toBeLessThan(3000);
    }
  });

  it("neither lets reads hold up writes on such a connection, nor writes reads", async () => {
    const { url } = await limitedTo(1);
    const driver = driverFor(url, 2, 2);
    await driver.read((tx) => tx.one(one));
    let over = false;
    const busy = (work: () => Promise<unknown>) =>
      Array.from({ length: 4 }, async () => {
        while (!over) await work();
      });
    const reads = busy(() => driver.read((tx) => tx.one(slow)));
    expect(await time(() => driver.write((tx) => tx.one(one)))).toBeLessThan(3000);
    const writes = busy(() => driver.write((tx) => tx.one(slow)));
    expect(await time(() => driver.read((tx) => tx.one(one)))).toBeLessThan(3000);
    over = true;
    await Promise.all([...reads, ...writes]);
  });

  it("gets operations that it has refused a connection in the order in which they came", async () => {
    const refuse: (() => void)[] = [];
    const session = (connect: () => Promise<void>): PostgresSession => ({
      losses: 0,
      connect,
      query: async () => ({ rows: [], changes: 0 }),
      close: async () => {},
    });
    const refused = () =>
      new Promise<void>((_, reject) => {
        refuse.push(() => reject(failureOf(Object.assign(new Error("too many"), { code: "53300" }))));
      });
    const driver = new PostgresDriver({
      writers: [session(async () => {}), session(refused), session(refused), session(refused)],
      readers: [],
    });
    let release = (): void => {};
    const gate = new Promise<void>((resolve) => (release = resolve));
    const order: string[] = [];
    const first = driver.write(() => gate);
    await new Promise((resolve) => setImmediate(resolve));
    const others = ["a", "b", "c", "d", "e", "f", "g"].map((name) =>
      driver.write(async () => order.push(name)),
    );
    await expect.poll(() => refuse.length).toBe(3);
    for (const one of refuse.reverse()) one();
    await new Promise((resolve) => setImmediate(resolve));
    release();
    await Promise.all([first, ...others]);
    expect(order).toEqual(["a", "b", "c", "d", "e", "f", "g"]);
    await driver.close();
  });

  it("has operations of a driver that has none done by another driver, which has some", async () => {
    const { url, open, allow } = await limitedTo(1);
    const instead = driverFor(url, 2, 2);
    await instead.write((tx) => tx.one(one));
    const both = sessions(url, 1);
    const driver = driverFor(url, 0, 0, { writers: both, readers: both, instead });
    const work = () => [
      driver.read((tx) => tx.one(one)),
      driver.list((tx) => tx.one(one)),
      driver.write((tx) => tx.one(one)),
    ];
    const took = await time(async () => expect(await Promise.all(work())).toEqual(Array(3).fill({ one: 1 })));
    expect(took).toBeLessThan(3000);
    expect(await open()).toBe(1);
    await allow(2);
    await Promise.all(work());
    expect(await open()).toBe(2);
    // The connections that the other one has left are free.
    await allow(1);
    await instead.close();
    await Promise.all(work());
  });

  it("doesn't keep a driver from its end, which does all that waits", async () => {
    const { url, open } = await limitedTo(1);
    const driver = driverFor(url, 3, 3);
    await driver.read((tx) => tx.one(one));
    const all = Array.from({ length: 10 }, () => [
      driver.read((tx) => tx.one(one)),
      driver.list((tx) => tx.one(one)),
      driver.write((tx) => tx.one(one)),
    ]).flat();
    const took = await time(() => Promise.all([driver.close(), ...all]));
    expect(took).toBeLessThan(3000);
    await expect.poll(open).toBe(0);
  });

  it("is asked again, and all connections are used once it grants them", async () => {
    const { url, open, allow } = await limitedTo(1);
    const driver = driverFor(url, 2, 2);
    const load = () =>
      Promise.all(
        Array.from({ length: 8 }, () => [
          driver.read((tx) => tx.one(slow)),
          driver.write((tx) => tx.one(slow)),
        ]).flat(),
      );
    await load();
    expect(await open()).toBe(1);
    await allow(4);
    await expect
      .poll(
        async () => {
          await load();
          return open();
        },
        { timeout: 10_000 },
      )
      .toBe(4);
  });

  it("is named after an operation's patience when it grants none", async () => {
    const { url, allow, cut } = await limitedTo(1);
    const driver = driverFor(url, 2, 2, { patience: 500 });
    await driver.read((tx) => tx.one(one));
    await allow(0);
    await cut();
    const refused = await Promise.allSettled([
      driver.read((tx) => tx.one(one)),
      driver.list((tx) => tx.one(one)),
      driver.write((tx) => tx.one(one)),
    ]);
    const reasons = refused.map((one) => (one.status === "rejected" ? one.reason : "done"));
    expect(reasons).toEqual(Array(3).fill(expect.any(StoreUnavailable)));
    // One that was on its way at the loss may have that error.
    expect(String(reasons)).toContain("its server has too many connections");
  });
});

it("work that comes alone takes a session that is connected, in place of one that has lost its connection", async () => {
  const { url } = await limitedTo(10);
  const driver = driverFor(url, 2, 1);
  const pid = async () => {
    const row = await driver.write((tx) =>
      tx.one<{ readonly pid: number }>(sql`SELECT pg_backend_pid() AS pid`),
    );
    return Number(row?.pid);
  };
  const pids = await Promise.all([pid(), pid()]);
  const first = await pid();
  await withClient(newDatabase(), (client) => client`SELECT pg_terminate_backend(${first})`);
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(pids.filter((one) => one !== first)).toEqual([await pid()]);
});
