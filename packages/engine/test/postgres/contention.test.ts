import { HEADER } from "@perdure/core/protocol";
import { newDatabase } from "@perdure/test-support/postgres-database";
import { sampled } from "@perdure/test-support/sample";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createPostgresStore } from "../../src/open-postgres.ts";
import { migrations } from "../../src/store/migrations.ts";
import { ClientSession } from "../../src/store/postgres/client.ts";
import { PostgresDriver } from "../../src/store/postgres/driver.ts";
import { readLocation } from "../../src/store/postgres/location.ts";
import { migrate } from "../../src/store/postgres/migrate.ts";
import { LOCKS, type LockKind, sql, type Tx } from "../../src/store/tx.ts";
import { APP, type Call, type Endpoint, failed, isFailure, ok, START, type World } from "../harness.ts";
import { app, CHILD, callStep, invokeStep, runStep, THIRD, waitStep, workflow } from "../steps.ts";
import { LEASE, start } from "../store/kit.ts";
import { withClient } from "./database.ts";
import { startEngines } from "./engines.ts";

/** Two connections of two engines, with the reasons for which their operations were done again. */
interface Side {
  readonly driver: PostgresDriver;
  readonly retries: string[];
}

const location = readLocation(newDatabase());
const sides: Side[] = [];

beforeAll(async () => {
  const session = new ClientSession(location, { name: "test" });
  await migrate(session, migrations("postgres"), location.schema);
  await session.close();
  for (let at = 0; at < 2; at++) {
    const session = new ClientSession(location, { name: `test ${at}` });
    const driver = new PostgresDriver({ writers: [session], readers: [session] });
    const retries: string[] = [];
    driver.onStates((counts) => {
      for (const { of, state } of counts) if (of === "retry") retries.push(state);
    });
    sides.push({ driver, retries });
  }
});
afterAll(() => Promise.all(sides.map(({ driver }) => driver.close())));

/** Resolves for all callers when `count` have called. */
function meeting(count: number): () => Promise<void> {
  let open = (): void => {};
  const all = new Promise<void>((resolve) => (open = resolve));
  let came = 0;
  return () => {
    if (++came >= count) open();
    return all;
  };
}

const PAIRS = LOCKS.flatMap((one, at) => LOCKS.slice(at).map((other) => [one, other] as const));

const lockAndWait = async (tx: Tx, kind: LockKind, key: string): Promise<void> => {
  await tx.lock(kind, key);
  // The lock is sent without a wait for it.
  await tx.one(sql`SELECT 1`);
};

describe("two transactions that take two locks", () => {
  it.each(PAIRS)(
    "%s and %s, each in another order, both come to their ends: one is done again, and counted",
    async (one, other) => {
      const met = meeting(2);
      for (const { retries } of sides) retries.length = 0;
      const name = `pair ${one} ${other}`;
      await Promise.all(
        sides.map(({ driver }, at) =>
          driver.write(async (tx) => {
            const takeOne = (): Promise<void> => lockAndWait(tx, one, "a");
            const takeOther = (): Promise<void> => lockAndWait(tx, other, "b");
            const [first, second] = at === 0 ? [takeOne, takeOther] : [takeOther, takeOne];
            await first();
            await met();
            await second();
            await tx.run(
              sql`INSERT INTO settings (name, value) VALUES (${name}, '1')
              ON CONFLICT (name) DO UPDATE SET value = CAST(CAST(settings.value AS integer) + 1 AS text)`,
            );
          }),
        ),
      );
      const row = await sides[0]?.driver.read((tx) =>
        tx.one(sql`SELECT value FROM settings WHERE name = ${name}`),
      );
      expect(row).toEqual({ value: "2" });
      expect(sides.flatMap(({ retries }) => retries)).toEqual(["deadlock"]);
    },
  );

  it("of one name in two schemas don't wait for each other", async () => {
    const elsewhere = readLocation(newDatabase());
    const session = new ClientSession(elsewhere, { name: "test" });
    await migrate(session, migrations("postgres"), elsewhere.schema);
    const driver = new PostgresDriver({ writers: [session], readers: [session] });
    const [here] = sides;
    const taken = await here?.driver.write(async (tx) => {
      await lockAndWait(tx, "run", "wfr_1");
      return driver.write((other) => other.tryLock("run", "wfr_1"));
    });
    await driver.close();
    expect(taken).toEqual([true]);
  });
});

it("claims of two engines that end expired runs don't wait for each other", async () => {
  const stores = sides.map(({ driver }) => createPostgresStore(driver));
  for (const { retries } of sides) retries.length = 0;
  for (let round = 0; round < 10; round++) {
    for (const { driver } of sides) driver.useClock(() => START);
    const ids = Array.from({ length: 20 }, (_, at) => `wfr_expiring_${round}_${at}`);
    await stores[0]?.accept(ids.map((id) => start(id, { [HEADER.runTimeout]: "1s" })));
    for (const { driver } of sides) driver.useClock(() => START + 2000);
    const claimed = await Promise.all(
      stores.map((store) => store.claim({ limit: 10, leaseUntil: START + LEASE })),
    );
    // The runs have failed: no delivery of them is left.
    expect(claimed.flatMap(({ claims }) => claims.filter(({ message }) => message.kind === "step"))).toEqual(
      [],
    );
  }
  expect(sides.flatMap(({ retries }) => retries)).not.toContain("deadlock");
});

/** Tables that a claim reads, by several statements at once. */
const CLAIMED = ["due", "messages", "runs", "entries", "due, messages, runs, entries"];

it("a claim that waits for a lock for too long is done again, and ends with that reason, whichever statement waits", async () => {
  const url = newDatabase();
  const session = new ClientSession(readLocation(url), { name: "test" });
  await migrate(session, migrations("postgres"), readLocation(url).schema);
  const driver = new PostgresDriver({ writers: [session], readers: [session] });
  driver.useClock(() => START);
  const store = createPostgresStore(driver);
  await store.accept([start("wfr_locked")]);
  const retries: string[] = [];
  driver.onStates((counts) => {
    for (const { of, state } of counts) if (of === "retry") retries.push(state);
  });
  await session.query("SET lock_timeout = 50", []);
  for (const table of CLAIMED) {
    await withClient(url, (sql) =>
      sql.begin(async (held) => {
        await held.unsafe(`LOCK TABLE ${table}`);
        await expect(store.claim({ limit: 10, leaseUntil: START + LEASE }), table).rejects.toThrow(
          "The database can't be used: a statement waited for a lock for too long (canceling statement due to lock timeout).",
        );
      }),
    );
    expect(retries.splice(0), table).toEqual(Array(8).fill("lock"));
  }
  expect((await store.claim({ limit: 10, leaseUntil: START + LEASE })).claims).toHaveLength(1);
  await driver.close();
});

it("an operation that fails with statements under way leaves the next one of its transaction alone", async () => {
  const session = new ClientSession(location, { name: "test" });
  const driver = new PostgresDriver({ writers: [session], readers: [session] });
  const share = async (): Promise<number> => {
    const before = driver.commits;
    const all = await Promise.allSettled([
      driver.write((tx) => tx.one(sql`SELECT 1 AS one`)),
      driver.write((tx) => {
        const failing = tx.run(sql`SELECT 1 / 0`);
        const later = [1, 2, 3].map((n) => tx.one(sql`SELECT ${n} AS n`));
        tx.send(sql`SELECT 'sent'`);
        // The caller hears of a later one first.
        return Promise.all([...later, failing.catch((error) => Promise.reject(error))]);
      }),
      driver.write((tx) => tx.one(sql`SELECT 2 AS two`)),
    ]);
    expect(all).toMatchObject([
      { value: { one: 1 } },
      { reason: { message: "division by zero" } },
      { value: { two: 2 } },
    ]);
    return driver.commits - before;
  };
  // On a busy machine a transaction may take so long that it leaves the last operation to another one.
  const commits: number[] = [];
  for (let round = 0; round < 10; round++) commits.push(await share());
  expect(commits).toContain(1);
  await driver.close();
});

/** Random numbers that are the same each time (mulberry32). */
function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d_2b_79_f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

/** Requests that take every kind of lock, on so few things that they meet. */
const REQUESTS: readonly ((w: World, random: (below: number) => number) => Promise<unknown>)[] = [
  (w, random) =>
    w.ask("POST", `/v2/publish/https://a.test/${random(3)}`, {
      headers: {
        [HEADER.flowControlKey]: `k${random(2)}`,
        [HEADER.flowControlValue]: `parallelism=2,rate=50,period=1s`,
        [HEADER.deduplicationId]: `d${random(40)}`,
        [HEADER.retries]: "1",
        [HEADER.callback]: "https://report.test/",
      },
    }),
  (w, random) =>
    w.ask("POST", `/v2/enqueue/q${random(2)}/https://a.test/${random(3)}`, {
      headers: {
        [HEADER.flowControlKey]: `k${random(2)}`,
        [HEADER.flowControlValue]: `parallelism=${2 + random(2)}`,
        [HEADER.retries]: "0",
        [HEADER.failureCallback]: "https://report.test/",
      },
    }),
  (w, random) =>
    w.ask("POST", "/v2/batch", {
      body: JSON.stringify(
        Array.from({ length: 4 }, () => ({
          destination: `https://a.test/${random(3)}`,
          queue: `q${random(2)}`,
          headers: { [HEADER.flowControlKey]: `k${random(2)}`, [HEADER.flowControlValue]: "parallelism=2" },
        })),
      ),
    }),
  (w, random) => w.start(`wfr_${random(6)}`, { [HEADER.retries]: "0" }),
  (w, random) => w.ask("POST", `/v2/notify/e${random(2)}`, { body: "x" }),
  (w, random) => w.ask("DELETE", `/v2/workflows/runs/wfr_${random(6)}?cancel=true`),
  (w) => w.ask("POST", "/v2/workflows/dlq/resume"),
  (w) => w.ask("POST", "/v2/workflows/dlq/restart"),
  (w) => w.ask("POST", "/v2/dlq/retry"),
  (w, random) => w.ask("POST", `/v2/queues/q${random(2)}/${random(2) === 0 ? "pause" : "resume"}`),
  (w, random) =>
    w.ask("POST", "/v2/queues", {
      body: JSON.stringify({ queueName: `q${random(2)}`, parallelism: 1 + random(3) }),
    }),
  (w, random) => w.ask("POST", `/v2/flowControl/k${random(2)}/${random(2) === 0 ? "pause" : "resume"}`),
  (w, random) =>
    w.ask("POST", `/v2/schedules/https://a.test/${random(3)}`, {
      headers: {
        [HEADER.cron]: "* * * * *",
        [HEADER.scheduleId]: `s${random(2)}`,
        [HEADER.queueName]: `q${random(2)}`,
        [HEADER.flowControlKey]: `k${random(2)}`,
        [HEADER.flowControlValue]: "parallelism=2",
      },
    }),
  (w, random) =>
    w.ask("POST", `/v2/topics/t/endpoints`, {
      body: JSON.stringify({ endpoints: [{ url: `https://a.test/${random(3)}` }] }),
    }),
  (w) => w.ask("POST", "/v2/publish/t"),
  (w) => w.ask("DELETE", "/v2/messages?count=3"),
  async (w) => w.clock.advance(20_000),
];

describe("random requests to two engines at once", () => {
  it.each(sampled([1, 2, 3], 3))(
    "(seed %i) never fail for each other's sake, and leave no message, place or key behind",
    async (seed) => {
      const random = numbers(seed);
      const steps = app({
        [APP]: (call, self) =>
          workflow(runStep, callStep(), waitStep("e0"), invokeStep(`wfr_${random(6)}`), runStep)(call, self),
        [CHILD]: workflow(runStep, waitStep("e1", "1m")),
      });
      let under = 0;
      const endpoint: Endpoint = async (call: Call, self: World) => {
        under++;
        await new Promise((resolve) => setTimeout(resolve, random(3)));
        under--;
        if (call.url === APP || call.url === CHILD) {
          if (!isFailure(call) && random(5) === 0) return failed(500, "boom");
          return steps(call, self);
        }
        return call.url !== THIRD && random(4) === 0 ? failed(500, "boom") : ok();
      };
      const engines = await startEngines(2, endpoint);
      const faults: string[] = [];
      const ask = async (): Promise<void> => {
        for (let at = 0; at < 25; at++) {
          const request = REQUESTS[random(REQUESTS.length)];
          const answer = await request?.(engines.next(), random);
          const { status = 200, body } = (answer ?? {}) as { status?: number; body?: unknown };
          if (status >= 500) faults.push(JSON.stringify(body));
        }
      };
      await Promise.all(Array.from({ length: 12 }, ask));
      for (const queue of ["q0", "q1"]) await engines.next().ask("POST", `/v2/queues/${queue}/resume`);
      for (const key of ["k0", "k1"]) await engines.next().ask("POST", `/v2/flowControl/${key}/resume`);
      for (const id of ["s0", "s1"]) await engines.next().ask("DELETE", `/v2/schedules/${id}`);
      for (let round = 0; round < 3; round++) {
        await engines.drain();
        for (let at = 0; at < 6; at++)
          await engines.next().ask("DELETE", `/v2/workflows/runs/wfr_${at}?cancel=true`);
      }
      await engines.drain();
      expect(faults).toEqual([]);
      for (const { events } of engines.all) expect(events.filter(({ type }) => type === "fault")).toEqual([]);
      expect(under).toBe(0);
      expect(await engines.next().store.backlog()).toMatchObject({ due: 0, waiting: 0, held: 0 });
      for (const queue of ["q0", "q1"])
        expect((await engines.next().ask("GET", `/v2/queues/${queue}`)).body).toMatchObject({ lag: 0 });
    },
    // It computes all the time, and may have a small part of a busy machine.
    180_000,
  );
});
