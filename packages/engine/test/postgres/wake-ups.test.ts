import { DEV_CREDENTIALS } from "@perdure/core/protocol";
import { newDatabase } from "@perdure/test-support/postgres-database";
import { expect, it, onTestFinished } from "vitest";
import { createEngine, type Engine, fetchTransport, openPostgres } from "../../src/index.ts";
import { ClientSession } from "../../src/store/postgres/client.ts";
import { readLocation } from "../../src/store/postgres/location.ts";

const { token, currentSigningKey: current, nextSigningKey: next } = DEV_CREDENTIALS;

/** For a busy machine. */
const PATIENT = { timeout: 60_000 };

async function open(url: string, deliver: () => void): Promise<Engine> {
  const store = await openPostgres(url);
  const transport = fetchTransport(1000, async () => {
    deliver();
    return new Response("ok");
  });
  const engine = createEngine({ store, token, signingKeys: { current, next }, transport });
  onTestFinished(async () => {
    await engine.stop();
    await store.close();
  });
  return engine;
}

it("a message that one engine accepts is delivered by another one at once", async () => {
  const url = newDatabase();
  let delivered = (): void => {};
  const [accepting, delivering] = await Promise.all([
    // It never starts to deliver.
    open(url, () => expect.unreachable()),
    open(url, () => delivered()),
  ]);
  delivering.start();
  const took: number[] = [];
  for (let at = 0; at < 60; at++) {
    const arrived = new Promise<void>((resolve) => (delivered = resolve));
    const began = performance.now();
    await accepting.publish({ url: "https://a.test/" });
    await arrived;
    took.push(performance.now() - began);
  }
  took.sort((a, b) => a - b);
  // Without a notification, it would take until the engine looks by itself, seconds later.
  expect(took[30]).toBeLessThan(1000);
});

it("an engine that stops tells the others of the leases that it gives back", async () => {
  const url = newDatabase();
  const schema = new URL(url).searchParams.get("schema");
  const heard: { readonly from: string; readonly schema: string; readonly dueAt?: number }[] = [];
  const listener = new ClientSession(readLocation(url), {
    name: "test",
    // The engines of other tests are in the same database.
    onNotify: (payload) => {
      const one = JSON.parse(payload);
      if (one.schema === schema) heard.push(one);
    },
  });
  await listener.query("LISTEN perdure", []);
  onTestFinished(() => listener.close());
  const other = await openPostgres(url);
  onTestFinished(() => other.close());
  await expect.poll(() => heard.length, PATIENT).toBe(1);
  const [{ from } = { from: "" }] = heard;
  const store = await openPostgres(url);
  // Each has heard the other one say hello.
  await expect.poll(() => new Set(heard.map((one) => one.from)).size, PATIENT).toBe(2);
  let arrive = (): void => {};
  const arrived = new Promise<void>((resolve) => (arrive = resolve));
  const transport = fetchTransport(1000, () => {
    arrive();
    return new Promise(() => {});
  });
  const engine = createEngine({ store, token, signingKeys: { current, next }, transport });
  engine.start();
  await createEngine({ store: other, token, signingKeys: { current, next } }).publish({
    url: "https://a.test/",
  });
  await arrived;
  // The store gives back what the engine has left.
  await store.close();
  onTestFinished(() => engine.stop({ deadline: 0 }));
  await expect
    .poll(() => heard.filter((one) => one.from !== from && one.dueAt !== undefined), PATIENT)
    .toHaveLength(1);
});

it("an engine tells of what it stores in ten milliseconds at most once", async () => {
  const url = newDatabase();
  const schema = new URL(url).searchParams.get("schema");
  const engine = await open(url, () => {});
  // An engine that hears of no other one tells nothing.
  await open(url, () => {});
  let told = 0;
  const listener = new ClientSession(readLocation(url), {
    name: "test",
    onNotify: (payload) => {
      const { schema: of, dueAt } = JSON.parse(payload);
      if (of === schema && dueAt !== undefined) told++;
    },
  });
  await listener.query("LISTEN perdure", []);
  onTestFinished(() => listener.close());
  await expect
    .poll(async () => {
      await engine.publish({ url: "https://a.test/" });
      return told;
    }, PATIENT)
    .toBeGreaterThan(0);
  told = 0;
  const began = performance.now();
  for (let at = 0; at < 200; at++) await engine.publish({ url: "https://a.test/" });
  const took = performance.now() - began;
  await expect.poll(() => told, PATIENT).toBeGreaterThan(0);
  // One may be left from before, and the last one comes later.
  expect(told).toBeLessThanOrEqual(took / 10 + 2);
});
