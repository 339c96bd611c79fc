import { DEV_CREDENTIALS } from "@perdure/core/protocol";
import { newDatabase } from "@perdure/test-support/postgres-database";
import { expect, it, onTestFinished } from "vitest";
import { createEngine, type Engine, fetchTransport, openPostgres } from "../../src/index.ts";

const { token, currentSigningKey: current, nextSigningKey: next } = DEV_CREDENTIALS;

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
