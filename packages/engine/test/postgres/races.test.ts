import { HEADER } from "@perdure/core/protocol";
import { newDatabase } from "@perdure/test-support/postgres-database";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { findDuplicate } from "../../src/commands/find-duplicate.ts";
import { lockDeadLetters } from "../../src/commands/lock-dead-letters.ts";
import { deleteQueue } from "../../src/commands/queues.ts";
import { releaseLeasesOf } from "../../src/commands/release-leases.ts";
import { resumeRuns } from "../../src/commands/resume-runs.ts";
import { settleDelivery } from "../../src/commands/settle-delivery.ts";
import type { Store } from "../../src/commands/store.ts";
import { sweep } from "../../src/commands/sweep.ts";
import { createPostgresStore } from "../../src/open-postgres.ts";
import { type PublishMessage, parseTrigger, type StartRun } from "../../src/rules/command.ts";
import type { DestinationOrder } from "../../src/store/claim-order.ts";
import type { Claim } from "../../src/store/claims.ts";
import { migrations } from "../../src/store/migrations.ts";
import { ClientSession } from "../../src/store/postgres/client.ts";
import { PostgresDriver } from "../../src/store/postgres/driver.ts";
import { readLocation } from "../../src/store/postgres/location.ts";
import { migrate } from "../../src/store/postgres/migrate.ts";
import { sql, strings, type Tx } from "../../src/store/tx.ts";
import { APP, NOT_FOUND, START } from "../harness.ts";
import { child, failure, known, LEASE, NO_OPTIONS, plain, reply, start } from "../store/kit.ts";

/** One engine's side of a database: a connection, and the operations on it. */
interface Side {
  readonly driver: PostgresDriver;
  readonly store: Store;
  /** The reasons for which its operations were done again. */
  readonly retries: string[];
}

let sides: readonly [Side, Side];
/** Looks on. */
let watcher: Side;
let now: number;
/** Opens another engine's side. */
let open: (name: string) => Side;
/** Makes the names of connections unique. */
let session = 0;

beforeEach(async () => {
  now = START;
  const location = readLocation(newDatabase());
  session++;
  const first = new ClientSession(location, { name: "test" });
  await migrate(first, migrations("postgres"), location.schema);
  await first.close();
  open = (name) => {
    const own = new ClientSession(location, { name: `${name} ${session}` });
    const driver = new PostgresDriver({ writers: [own], readers: [own] });
    driver.useClock(() => now);
    const retries: string[] = [];
    driver.onStates((counts) => {
      for (const { of, state } of counts) if (of === "retry") retries.push(state);
    });
    return { driver, store: createPostgresStore(driver, {}, name), retries };
  };
  sides = [open("one"), open("other")];
  watcher = open("watcher");
});
afterEach(() => Promise.all([...sides, watcher].map(({ store }) => store.close())));

const order = (destinations?: DestinationOrder) => ({
  limit: 10,
  leaseUntil: now + LEASE,
  ...(destinations ? { destinations } : {}),
});

const full: DestinationOrder = {
  open: new Map(),
  admit: () => ({ kind: "full", destination: "a.test" }),
};

const delivered = {
  kind: "delivered",
  reply: reply(200),
  stalled: { at: START, error: "stalled", reply: undefined, byEngine: true },
} as const;

/** Takes locks, and waits until the transaction has them: it sends its request for them without a wait. */
async function holdLock(tx: Tx, ...lock: Parameters<Tx["lock"]>): Promise<void> {
  await tx.lock(...lock);
  await tx.one(sql`SELECT 1`);
}

/** Waits until the connection of a side waits for a lock. */
async function waitsForLock(name: string): Promise<void> {
  await expect
    .poll(
      () =>
        watcher.driver.write((tx) =>
          tx.one(
            sql`SELECT 1 AS waits FROM pg_stat_activity WHERE application_name = ${`${name} ${session}`} AND wait_event_type = 'Lock'`,
          ),
        ),
      {
        timeout: 10_000,
      },
    )
    .toEqual({ waits: 1 });
}

describe("two engines at one row", () => {
  it("a message that a dead engine has deferred is delivered by another one", async () => {
    const [one, other] = sides;
    await one.store.accept([plain()]);
    expect((await one.store.claim(order(full))).claims).toEqual([]);
    expect((await other.store.claim(order())).claims).toEqual([]);
    while (await releaseLeasesOf(other.driver, "one"));
    expect((await other.store.claim(order())).claims).toHaveLength(1);
  });

  it("a settlement waits for a claim that takes the message over, and then changes nothing", async () => {
    const [one, other] = sides;
    await one.store.accept([plain()]);
    const [first] = (await one.store.claim(order())).claims as [Claim];
    now += LEASE;
    let settled: Promise<unknown> = Promise.resolve();
    await other.driver.write(async (tx) => {
      await tx.run(sql`UPDATE due SET fence = fence + 1, owner = 'other' WHERE message = ${first.lease.seq}`);
      settled = one.store.settle(first.lease, delivered);
      await waitsForLock("one");
    });
    expect(await settled).toEqual({ kind: "stale" });
    expect((await other.store.logs({ count: 10 })).items.map(({ state }) => state)).toEqual([
      "ACTIVE",
      "CREATED",
    ]);
  });

  it("a cancellation waits for a settlement, and finds that the message has ended", async () => {
    const [one, other] = sides;
    await one.store.accept([plain()]);
    const [claim] = (await one.store.claim(order())).claims as [Claim];
    let cancelled: Promise<unknown> = Promise.resolve();
    await one.driver.write(async (tx) => {
      await settleDelivery(tx, claim.lease, delivered, { excerpt: 10 });
      cancelled = other.store.cancelMessage(claim.message.id).catch((error: unknown) => error);
      await waitsForLock("other");
    });
    expect(await cancelled).toMatchObject(NOT_FOUND);
    expect((await one.store.logs({ count: 10 })).items.map(({ state }) => state)).toEqual([
      "DELIVERED",
      "ACTIVE",
      "CREATED",
    ]);
  });

  it("a deduplication key that is used again while it is swept stays", async () => {
    const [one, other] = sides;
    await one.store.accept([known("d")]);
    now += 600_000;
    let swept: Promise<unknown> = Promise.resolve();
    await one.driver.write(async (tx) => {
      expect(await findDuplicate(tx, known("d", now) as PublishMessage)).toBeUndefined();
      const expiry = { messages: 0, logs: 0, dlq: 0, runs: 0, now };
      swept = other.driver.write((sweeping) => sweep(sweeping, expiry, 100));
      await waitsForLock("other");
    });
    await swept;
    expect(
      await one.driver.write((tx) => findDuplicate(tx, known("d", now + 1) as PublishMessage)),
    ).toBeDefined();
  });

  it("a queue that is deleted while a dead engine's lease in it is given back leaves that message to be delivered", async () => {
    const [one, other] = sides;
    await one.store.accept([plain({ [HEADER.queueName]: "q" }), plain({ [HEADER.queueName]: "q" })]);
    const { claims } = await one.store.claim(order());
    expect(claims).toHaveLength(1);
    let released: Promise<unknown> = Promise.resolve();
    await other.driver.write(async (tx) => {
      await holdLock(tx, "queue", "q");
      released = releaseLeasesOf(one.driver, "one");
      await waitsForLock("one");
      await deleteQueue(tx, "q");
    });
    await released;
    const again = (await other.store.claim(order())).claims;
    expect(again.map(({ message }) => message.id)).toEqual(claims.map(({ message }) => message.id));
  });

  it("a queue that is changed while it is deleted is there afterwards", async () => {
    const [one, other] = sides;
    const limits = { queues: 10 };
    await one.store.putQueue({ name: "q", parallelism: 2, paused: undefined }, limits);
    let changed: Promise<unknown> = Promise.resolve();
    await other.driver.write(async (tx) => {
      await deleteQueue(tx, "q");
      changed = one.store.putQueue({ name: "q", parallelism: 3, paused: undefined }, limits);
      await waitsForLock("one");
    });
    await changed;
    expect(await one.store.queue("q")).toMatchObject({ parallelism: 3 });
  });

  it("dead letters that another one takes out of the queue meanwhile are passed over", async () => {
    const [one, other] = sides;
    await one.store.accept([plain()]);
    const [claim] = (await one.store.claim(order())).claims as [Claim];
    await one.store.settle(claim.lease, { kind: "failed", failure: failure(now) });
    // The log keeps a message longer than its dead letter, unless it is swept first.
    await one.driver.write((tx) => tx.run(sql`DELETE FROM logs`));
    let taken: Promise<unknown> | undefined;
    const locked = await one.driver.write((tx) => {
      const afterTheFirstStatement: Tx = {
        ...tx,
        async all(query) {
          const rows = await tx.all<never>(query);
          taken ??= other.store.removeDeadLetters({ count: 10 });
          await taken;
          return rows;
        },
      };
      return lockDeadLetters(afterTheFirstStatement, { count: 10 });
    });
    expect(await taken).toMatchObject({ removed: 1 });
    expect(locked.items).toEqual([]);
  });

  it("a dead letter whose report is retried meanwhile is deleted", async () => {
    const [one, other] = sides;
    const fails = async (): Promise<void> => {
      const [claim] = (await one.store.claim(order())).claims as [Claim];
      await one.store.settle(claim.lease, { kind: "failed", failure: failure(now) });
    };
    await one.store.accept([plain({ [HEADER.failureCallback]: "https://b.test/", [HEADER.retries]: "0" })]);
    await fails();
    // The report fails, too.
    await fails();
    const [ofReport, letter] = (await one.store.deadLetters({ count: 10 })).items;
    expect(ofReport?.message.id).toBe(letter?.callback?.message.id);
    // The log keeps a message longer than its dead letter, unless it is swept first.
    await one.driver.write((tx) => tx.run(sql`DELETE FROM logs`));
    let reads = 0;
    let retried: Promise<unknown> = Promise.resolve();
    const locked = await one.driver.write((tx) => {
      const beforeItsMessages: Tx = {
        ...tx,
        async all(query) {
          const rows = await tx.all<never>(query);
          const isOfLetters = rows.some((row) => "fingerprint" in Object(row));
          if (!isOfLetters || ++reads < 2) return rows;
          retried = other.store.retryOne(ofReport?.dlqId ?? "", NO_OPTIONS, {});
          await Promise.race([retried, waitsForLock("other")]);
          return rows;
        },
      };
      return lockDeadLetters(beforeItsMessages, { dlqIds: [letter?.dlqId ?? ""], count: 1 });
    });
    expect(locked.items).toHaveLength(1);
    await retried;
    expect(await one.store.removeDeadLetters({ count: 10 })).toMatchObject({ removed: 1 });
  });

  it("the end of a child waits for the run that has resumed its invoker meanwhile", async () => {
    const [one, other] = sides;
    await one.store.accept([start("wfr_1"), child("wfr_2", "wfr_1")]);
    const { claims } = await one.store.claim(order());
    const of = (id: string) => claims.find(({ run }) => run?.id === id) as Claim;
    await one.store.settle(of("wfr_1").lease, { kind: "failed", failure: failure(now) });
    const [report] = (await one.store.claim(order())).claims as [Claim];
    await one.store.settle(report.lease, delivered);
    const third = open("third");
    let release = (): void => {};
    const released = new Promise<void>((resolve) => (release = resolve));
    let [settled, held]: Promise<unknown>[] = [];
    const resumed = await one.driver.write(async (tx) => {
      await holdLock(tx, "run", "wfr_1");
      settled = other.store.settle(of("wfr_2").lease, { kind: "failed", failure: failure(now) });
      await waitsForLock("other");
      const { runs } = await resumeRuns(tx, { count: 1 }, { kind: "resume", options: NO_OPTIONS });
      const id = runs[0]?.id ?? "";
      await new Promise<void>((taken) => {
        held = third.driver.write(async (holding) => {
          await holdLock(holding, "run", id);
          taken();
          await released;
        });
      });
      return id;
    });
    await waitsForLock("other");
    release();
    await Promise.all([settled, held]);
    expect(other.retries).toEqual([]);
    expect(await one.store.history(resumed)).toHaveLength(2);
    await third.store.close();
  });

  it("strings with any character come back as they were", async () => {
    const [{ driver }] = sides;
    const names = [
      "a\0b",
      "\u001a",
      "\u001a0",
      "\0\u001a1",
      "\u{1f600}",
      "a\ud800b",
      'a"b\\"c',
      "NULL",
      "{},",
      "",
    ];
    await driver.write(async (tx) => {
      for (const name of names)
        await tx.run(sql`INSERT INTO settings (name, value) VALUES (${name}, ${name})`);
    });
    for (const name of names) {
      const row = await driver.read((tx) =>
        tx.one(sql`SELECT name, value FROM settings WHERE name = ${name}`),
      );
      const stored = name.replace("\ud800", "\ufffd");
      expect(row).toEqual({ name: stored, value: stored });
    }
    const listed = await driver.read((tx) =>
      tx.all(sql`SELECT name FROM settings WHERE name IN (${strings(names)})`),
    );
    expect(listed).toHaveLength(names.length);
  });
});

describe("two engines at one flow control key don't wait for each other", () => {
  const key = { [HEADER.flowControlKey]: "k", [HEADER.flowControlValue]: "parallelism=9" };

  /** Has `other` begin something that waits for a lock, and then takes the key's lock, and what `next` takes. */
  async function meet(
    { driver, retries }: Side,
    other: Side,
    { lock, begin, next }: Meeting,
  ): Promise<readonly string[]> {
    let begun: Promise<unknown> = Promise.resolve();
    await driver.write(async (tx) => {
      await holdLock(tx, ...lock);
      begun = begin();
      await waitsForLock("other");
      await tx.lock("flow", "k");
      await next(tx);
    });
    await begun;
    return [...retries, ...other.retries];
  }

  /** A run that its endpoint has yet to configure. */
  function announced(id: string, headers: Readonly<Record<string, string>> = {}): StartRun {
    const all = Object.entries({ [HEADER.runId]: id, ...headers });
    return parseTrigger(
      {
        destination: APP,
        headers: new Map(all.map(([name, value]) => [name.toLowerCase(), value])),
        body: new Uint8Array(),
        callerIp: "::1",
        now,
      },
      { retries: 999 },
    );
  }

  interface Meeting {
    readonly lock: Parameters<Tx["lock"]>;
    readonly begin: () => Promise<unknown>;
    readonly next: (tx: Tx) => Promise<unknown>;
  }

  it("when a run ends whose messages wait for the key", async () => {
    const [one, other] = sides;
    await one.store.accept([start("wfr_1", key)]);
    const retries = await meet(one, other, {
      lock: ["flow", "k"],
      begin: () => other.store.cancelRuns({ ids: ["wfr_1"], count: 1 }),
      next: (tx) => tx.run(sql`UPDATE due SET at = ${now} WHERE flow_key = 'k'`),
    });
    expect(retries).toEqual([]);
    expect((await other.store.claim(order())).claims).toEqual([]);
  });

  it("when a run is configured whose announcement waits for the key", async () => {
    const [one, other] = sides;
    await one.store.accept([announced("wfr_1", key)]);
    const retries = await meet(one, other, {
      lock: ["flow", "k"],
      begin: () => other.store.accept([start("wfr_1", { [HEADER.triggerBySdk]: "true" })]),
      next: (tx) => tx.run(sql`UPDATE due SET at = ${now} WHERE flow_key = 'k'`),
    });
    expect(retries).toEqual([]);
    expect((await other.store.claim(order())).claims).toHaveLength(1);
  });

  it("when a run is configured with the key", async () => {
    const [one, other] = sides;
    await one.store.accept([announced("wfr_1")]);
    const retries = await meet(one, other, {
      lock: ["run", "wfr_1"],
      begin: () => other.store.accept([start("wfr_1", { [HEADER.triggerBySdk]: "true", ...key })]),
      next: (tx) => tx.one(sql`SELECT 1`),
    });
    expect(retries).toEqual([]);
    expect((await other.store.claim(order())).claims).toHaveLength(1);
  });

  it("when a run ends that was invoked by one with the same key", async () => {
    const [one, other] = sides;
    await one.store.accept([start("wfr_1"), child("wfr_2", "wfr_1", key)]);
    const { claims } = await other.store.claim(order());
    const ofChild = claims.find(({ run }) => run?.id === "wfr_2") as Claim;
    const retries = await meet(one, other, {
      lock: ["run", "wfr_1"],
      begin: () => other.store.settle(ofChild.lease, { kind: "failed", failure: failure(now) }),
      next: (tx) => tx.one(sql`SELECT 1`),
    });
    expect(retries).toEqual([]);
    expect((await one.store.runs({ ids: ["wfr_2"], count: 1 })).items[0]?.run.state).toBe("RUN_FAILED");
  });
});
