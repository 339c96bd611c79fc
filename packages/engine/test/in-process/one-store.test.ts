import { DEV_CREDENTIALS } from "@perdure/core/protocol";
import { expect, it, onTestFinished } from "vitest";
import { createEngine, createServer, type Engine, type Store } from "../../src/index.ts";
import { APP, ok } from "../harness.ts";
import { openTestStore } from "../stores.ts";

const { token, currentSigningKey: current, nextSigningKey: next } = DEV_CREDENTIALS;
const signingKeys = { current, next };
const IN_USE = "The store is in use by another engine";

function newStore(): Store {
  const store = openTestStore({ file: ":memory:", now: Date.now });
  onTestFinished(() => store.close());
  return store;
}

function engineOn(store: Store): Engine {
  const engine = createEngine({
    store,
    token,
    signingKeys,
    search: false,
    endpoints: { [new URL(APP).origin]: async () => ok() },
  });
  onTestFinished(() => engine.stop({ deadline: 0 }));
  return engine;
}

/** Fails unless the engine hears of the end of a run at once. */
async function expectEvents(engine: Engine): Promise<void> {
  const { workflowRunId } = await engine.trigger({ url: APP, delay: "1d" });
  const began = performance.now();
  const waiting = engine.runs.wait(workflowRunId, { timeout: "1m" });
  await engine.runs.cancel(workflowRunId);
  expect(await waiting).toMatchObject({ workflowState: "RUN_CANCELED" });
  expect(performance.now() - began).toBeLessThan(20_000);
}

it("a store in use is refused to a second engine, and the first goes on", async () => {
  const store = newStore();
  const engine = engineOn(store);
  for (const refused of [
    () => engineOn(store),
    () => createServer({ tenants: [{ user: "ann", store, token, signingKeys }] }),
  ]) {
    expect(refused).toThrow(TypeError);
    expect(refused).toThrow(IN_USE);
  }
  engine.start();
  expect(() => engineOn(store)).toThrow(IN_USE);
  await expectEvents(engine);
});

it("an engine that has stopped gives its store to another, or starts again", async () => {
  const store = newStore();
  const first = engineOn(store);
  first.start();
  await first.stop();
  first.start();
  await expectEvents(first);
  expect(() => engineOn(store)).toThrow(IN_USE);
  await first.stop();
  const second = engineOn(store);
  second.start();
  await expectEvents(second);
  expect(() => first.start()).toThrow(TypeError);
  expect(() => first.start()).toThrow("was given to another engine");
  await first.stop();
  expect(() => engineOn(store)).toThrow(IN_USE);
  await second.stop();
});

it("an engine that couldn't be created leaves the store free", async () => {
  const store = newStore();
  const create = () => createEngine({ store, token, signingKeys, concurrency: -1 });
  expect(create).toThrow("concurrency");
  expect(create).toThrow("concurrency");
  const engine = engineOn(store);
  engine.start();
  await expectEvents(engine);
});
