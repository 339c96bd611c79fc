import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DEV_CREDENTIALS } from "@perdure/core/protocol";
import { afterAll, describe, expect, it } from "vitest";
import {
  createEngine,
  type Engine,
  type EngineEvent,
  type EngineOptions,
  openSqlite,
} from "../../src/index.ts";
import { APP, ofRun, SDK } from "../harness.ts";

const folder = mkdtempSync(join(tmpdir(), "perdure-"));
let files = 0;
afterAll(() => rmSync(folder, { recursive: true }));

const newFile = (): string => join(folder, `${files++}.db`);

const { token, currentSigningKey: current, nextSigningKey: next } = DEV_CREDENTIALS;

function engineOn(store: EngineOptions["store"], options: Partial<EngineOptions> = {}) {
  const events: EngineEvent[] = [];
  const engine = createEngine({
    store,
    token,
    signingKeys: { current, next },
    onEvent: (event) => events.push(event),
    ...options,
  });
  const faults = (): string[] =>
    events.flatMap((event) => (event.type === "fault" ? String(event.error) : []));
  return { engine, faults };
}

const CLOSED = { name: "StoreUnavailable", message: "The store is closed." };

const OPERATIONS: Readonly<Record<string, (engine: Engine) => Promise<unknown>>> = {
  "runs.get": ({ runs }) => runs.get("wfr_1"),
  "runs.list": ({ runs }) => runs.list(),
  "runs.find by its texts": ({ runs }) => runs.find({ search: "word" }),
  "runs.count": ({ runs }) => runs.count(),
  "runs.numbers": ({ runs }) => runs.numbers(),
  "runs.overview": ({ runs }) => runs.overview("wfr_1"),
  "runs.steps": ({ runs }) => runs.steps("wfr_1"),
  "runs.history": ({ runs }) => runs.history("wfr_1"),
  "runs.cancel": ({ runs }) => runs.cancel("wfr_1"),
  "logs.list": ({ logs }) => logs.list(),
  "dlq.list": ({ dlq }) => dlq.list(),
  "dlq.get": ({ dlq }) => dlq.get("dlq_1"),
  "messages.get": ({ messages }) => messages.get("msg_1"),
  "messages.pending": ({ messages }) => messages.pending(),
  "events.waiters": ({ events }) => events.waiters("e"),
  "schedules.list": ({ schedules }) => schedules.list(),
  "queues.list": ({ queues }) => queues.list(),
  "flows.list": ({ flows }) => flows.list(),
  "audit.list": ({ audit }) => audit.list(),
  backup: (engine) => engine.backup(),
  publish: (engine) => engine.publish({ url: APP }),
};

describe.each([
  ["a file", newFile],
  ["memory", () => ":memory:"],
])("an engine on %s that has stopped", (_, place) => {
  it.each(Object.entries(OPERATIONS))("says so: %s", async (_name, operation) => {
    const { engine, faults } = engineOn(place());
    engine.start();
    await engine.publish({ url: APP, delay: "1d" });
    await engine.stop();
    await expect(operation(engine)).rejects.toMatchObject(CLOSED);
    expect(faults()).toEqual([]);
  });

  it("has left nothing behind that the search would write or delete", async () => {
    const store = openSqlite(place());
    await store.openSearch();
    await store.close();
    const before = readdirSync(folder);
    for (const operation of [store.openSearch(), store.dropSearch(), store.indexRuns(["wfr_1"])]) {
      await expect(operation).rejects.toMatchObject(CLOSED);
    }
    expect(readdirSync(folder)).toEqual(before);
  });
});

describe("a store in a file that is being closed", () => {
  it("refuses lists that are in progress, and those that come meanwhile", async () => {
    const file = newFile();
    const store = openSqlite(file);
    const lists = [store.countRuns({}), store.countRuns({}), store.countRuns({})];
    const closing = store.close();
    lists.push(store.countRuns({}));
    for (const { status, reason } of (await Promise.allSettled(lists)) as PromiseRejectedResult[]) {
      expect({ status, reason }).toMatchObject({ status: "rejected", reason: CLOSED });
    }
    await closing;
    expect(existsSync(`${file}-wal`)).toBe(false);
  });

  it("is what its engine reports of runs in progress, and of their indexing", async () => {
    const store = openSqlite(newFile());
    let answer = (): void => {};
    const held = new Promise<void>((resolve) => (answer = resolve));
    const { engine, faults } = engineOn(store, {
      endpoints: {
        [new URL(APP).origin]: async () => {
          await held;
          return new Response("", { headers: SDK });
        },
      },
    });
    engine.start();
    const ask = (path: string, init: RequestInit = {}) =>
      engine.fetch(
        new Request(`http://engine.test${path}`, {
          ...init,
          headers: { Authorization: `Bearer ${token}`, ...init.headers },
        }),
      );
    const body = JSON.stringify([{ destination: APP, headers: ofRun("wfr_1", "true"), body: "1" }]);
    expect((await ask("/v2/batch", { method: "POST", body })).status).toBe(200);
    await store.close();
    answer();
    const read = await ask("/v2/workflows/logs");
    expect(read.status).toBe(503);
    expect(await read.json()).toEqual({
      error: "the database can't serve this request now: try again later",
    });
    await expect(engine.runs.find({ search: "word" })).rejects.toMatchObject(CLOSED);
    await engine.stop();
    expect(new Set(faults())).toEqual(new Set(["StoreUnavailable: The store is closed."]));
  });
});

describe("the stop of an engine", () => {
  it("is no fault, with runs in progress", async () => {
    const { engine, faults } = engineOn(newFile(), {
      endpoints: { [new URL(APP).origin]: () => new Promise<Response>(() => {}) },
    });
    engine.start();
    const runs = Array.from({ length: 10 }, (_, at) => engine.trigger({ url: APP, workflowRunId: `${at}` }));
    await Promise.all(runs);
    await engine.stop({ deadline: 0 });
    await expect(engine.runs.list()).rejects.toMatchObject(CLOSED);
    expect(faults()).toEqual([]);
  });
});

it("a list that is in progress when its engine stops is refused, and is no fault", async () => {
  const { engine, faults } = engineOn(newFile());
  engine.start();
  const headers = { Authorization: `Bearer ${token}` };
  const list = engine.fetch(new Request("http://engine.test/v2/workflows/logs", { headers }));
  await engine.stop();
  // The thread of lists takes longer to begin than the engine to stop.
  expect((await list).status).toBe(503);
  expect(faults()).toEqual([]);
});
