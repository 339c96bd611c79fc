import { newDatabase } from "@perdure/test-support/postgres-database";
import { expect, it, onTestFinished } from "vitest";
import type { Store } from "../../src/commands/store.ts";
import { openPostgres } from "../../src/index.ts";
import { delivered, LEASE, plain } from "../store/kit.ts";
import { withClient } from "./database.ts";

/** Engines of one database. */
async function openEngines(count: number): Promise<{ readonly url: string; readonly stores: Store[] }> {
  const url = newDatabase();
  const stores: Store[] = [];
  for (let at = 0; at < count; at++) stores.push(await openPostgres(url));
  onTestFinished(async () => {
    for (const store of stores) await store.close();
  });
  return { url, stores };
}

/** Stores a message that has been delivered: the housekeeping deletes it. */
async function leaveOne(store: Store): Promise<void> {
  const now = Date.now();
  await store.accept([plain({}, now)]);
  const { claims } = await store.claim({ limit: 1, leaseUntil: now + LEASE });
  for (const { lease } of claims) await store.settle(lease, delivered(now));
}

/** Has an engine sweep what is older than an hour from now. */
async function sweep(store: Store): Promise<void> {
  const now = Date.now() + 3_600_000;
  await store.sweep({ now, messages: now, logs: now, dlq: now, runs: now }, 100);
}

it("is done by one engine, and by another one once that stops", async () => {
  const { url, stores } = await openEngines(2);
  const [one, other] = stores as [Store, Store];
  const left = (): Promise<number> =>
    withClient(url, async (sql) => (await sql`SELECT seq FROM messages`).length);
  await sweep(one);
  await leaveOne(one);
  expect(await left()).toBe(1);
  await sweep(other);
  expect(await left()).toBe(1);
  await sweep(one);
  expect(await left()).toBe(0);
  await leaveOne(one);
  await one.close();
  await sweep(other);
  expect(await left()).toBe(0);
});

it("is begun by one of two engines that ask at the same time", async () => {
  const { url, stores } = await openEngines(2);
  await Promise.all(stores.map(sweep));
  expect(await withClient(url, async (sql) => (await sql`SELECT engine FROM terms`).length)).toBe(1);
});

it("waits for the end of the term of an engine that has died", async () => {
  const { url, stores } = await openEngines(1);
  const [one] = stores as [Store];
  await leaveOne(one);
  await withClient(url, async (sql) => {
    const endTermIn = (ms: number): Promise<unknown> =>
      sql`INSERT INTO terms (name, engine, until) VALUES ('housekeeping', 'dead', ${Date.now() + ms})
        ON CONFLICT (name) DO UPDATE SET engine = excluded.engine, until = excluded.until`;
    const left = async (): Promise<number> => (await sql`SELECT seq FROM messages`).length;
    await endTermIn(60_000);
    await sweep(one);
    expect(await left()).toBe(1);
    await endTermIn(-60_000);
    await sweep(one);
    expect(await left()).toBe(0);
  });
});
