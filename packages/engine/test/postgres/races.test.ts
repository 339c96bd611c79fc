import { newDatabase } from "@perdure/test-support/postgres-database";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { findDuplicate } from "../../src/commands/find-duplicate.ts";
import { releaseLeasesOf } from "../../src/commands/release-leases.ts";
import { settleDelivery } from "../../src/commands/settle-delivery.ts";
import type { Store } from "../../src/commands/store.ts";
import { sweep } from "../../src/commands/sweep.ts";
import { createPostgresStore } from "../../src/open-postgres.ts";
import type { PublishMessage } from "../../src/rules/command.ts";
import type { DestinationOrder } from "../../src/store/claim-order.ts";
import type { Claim } from "../../src/store/claims.ts";
import { migrations } from "../../src/store/migrations.ts";
import { ClientSession } from "../../src/store/postgres/client.ts";
import { PostgresDriver } from "../../src/store/postgres/driver.ts";
import { readLocation } from "../../src/store/postgres/location.ts";
import { migrate } from "../../src/store/postgres/migrate.ts";
import { sql } from "../../src/store/tx.ts";
import { NOT_FOUND, START } from "../harness.ts";
import { known, LEASE, plain, reply } from "../store/kit.ts";

/** One engine's side of a database: a connection, and the operations on it. */
interface Side {
  readonly driver: PostgresDriver;
  readonly store: Store;
}

let sides: readonly [Side, Side];
/** Looks on. */
let watcher: Side;
let now: number;
/** Makes the names of connections unique. */
let session = 0;

beforeEach(async () => {
  now = START;
  const location = readLocation(newDatabase());
  session++;
  const first = new ClientSession(location, { name: "test" });
  await migrate(first, migrations("postgres"), location.schema);
  await first.close();
  const open = (name: string): Side => {
    const own = new ClientSession(location, { name: `${name} ${session}` });
    const driver = new PostgresDriver({ writers: [own], readers: [own] });
    driver.useClock(() => now);
    return { driver, store: createPostgresStore(driver, {}, name) };
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

  it("strings with any character come back as they were", async () => {
    const [{ driver }] = sides;
    const strings = ["a\0b", "\u001a", "\u001a0", "\0\u001a1", "\u{1f600}", "a\ud800b"];
    await driver.write(async (tx) => {
      for (const name of strings)
        await tx.run(sql`INSERT INTO settings (name, value) VALUES (${name}, ${name})`);
    });
    for (const name of strings) {
      const row = await driver.read((tx) =>
        tx.one(sql`SELECT name, value FROM settings WHERE name = ${name}`),
      );
      const stored = name.replace("\ud800", "\ufffd");
      expect(row).toEqual({ name: stored, value: stored });
    }
  });
});
