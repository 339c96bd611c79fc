import { HEADER } from "@perdure/core/protocol";
import { describe, expect, it } from "vitest";
import { createEngine } from "../../src/index.ts";
import { crash, useMachine } from "../crashing.ts";
import { ONCE, plan, revive } from "../failing.ts";
import {
  type Endpoint,
  failed,
  isFailure,
  ok,
  result,
  sequence,
  type World,
  type WorldOptions,
  world,
} from "../harness.ts";
import { rowsOf } from "../stores.ts";

const DAY = 86_400_000;
const later = { [HEADER.delay]: "300d" };
const keyed = (key: string) => ({ [HEADER.flowControlKey]: key, [HEADER.flowControlValue]: "parallelism=9" });
const machine = useMachine();

const boot = (endpoint: Endpoint, options: WorldOptions = {}): World =>
  world(endpoint, { file: machine().file, clock: machine().clock, ...options });

const publish = async (w: World, headers: Record<string, string> = {}): Promise<string> =>
  (await w.ask("POST", "/v2/publish/https://a.test/", { headers, body: "hi" })).body.messageId;

/** Lets time go by, and the engine clean up: any request has it see to that. */
async function pass(w: World, ms: number): Promise<void> {
  await w.engine.idle();
  w.clock.advance(ms);
  await w.ask("GET", "/v2/keys");
  await w.engine.idle();
}

const logged = async (w: World): Promise<number> =>
  (await w.ask("GET", "/v2/logs?count=1000")).body.logs.length;

/** What the database holds once the engine has died, by table. */
async function rowsLeft(w: World): Promise<Record<string, number>> {
  await crash(w);
  const rows = await rowsOf(machine().file);
  return Object.fromEntries(Object.entries(rows).map(([name, { length }]) => [name, length]));
}

/** Plain messages that are delivered, fail and are taken back, and a run of each end. */
async function everything(w: World): Promise<void> {
  await publish(w, keyed("k"));
  await publish(w, { ...ONCE, "Upstash-Forward-X-Fail": "1", [HEADER.failureCallback]: "https://b.test/" });
  const taken = await publish(w, later);
  await w.ask("DELETE", `/v2/messages/${taken}`);
  await w.start("wfr_good");
  await w.start("wfr_bad", { ...ONCE, "Upstash-Forward-X-Fail": "1" });
  await w.start("wfr_canceled", later);
  await w.ask("POST", "/v2/wait/event", {
    headers: { [HEADER.runId]: "wfr_canceled" },
    body: JSON.stringify({
      url: "https://app.test/wf",
      timeout: "200d",
      step: { stepId: 1, stepName: "w", stepType: "Wait", concurrent: 1 },
    }),
  });
  await w.ask("DELETE", "/v2/workflows/runs/wfr_canceled?cancel=true");
  await w.engine.idle();
}

const mixed: Endpoint = (call, self) => {
  if (isFailure(call)) return ok();
  if (call.headers.get("x-fail")) return failed(500, "boom");
  return call.url.startsWith("https://app.test/") ? sequence(2)(call, self) : ok();
};

describe("what is over", () => {
  it("is forgotten when its time has come, and leaves nothing behind", async () => {
    const w = boot(mixed);
    await everything(w);
    await pass(w, 14 * DAY - 1);
    expect(await w.run("wfr_good")).toMatchObject({ workflowState: "RUN_SUCCESS" });
    expect(await logged(w)).toBe(16);
    await pass(w, 60_000);
    for (const id of ["wfr_good", "wfr_canceled"]) expect(await w.run(id)).toBeUndefined();
    // What failed stays with its dead letter.
    expect(await w.run("wfr_bad")).toMatchObject({ workflowState: "RUN_FAILED" });
    expect(await w.deadLetters("?order=earliestFirst")).toMatchObject([
      { body: "hi", failureCallbackInfo: { state: "CALLBACK_SUCCESS" } },
      { workflowRunId: "wfr_bad", body: '{"order":1}', failureCallbackInfo: { state: "CALLBACK_SUCCESS" } },
    ]);
    await pass(w, 16 * DAY);
    expect(await w.deadLetters()).toEqual([]);
    await pass(w, DAY);
    expect(await w.run("wfr_bad")).toBeUndefined();
    expect(await rowsLeft(w)).toEqual({});
  });

  it("is forgotten on an engine that nobody asks for anything, too", async () => {
    const w = boot(mixed);
    await everything(w);
    for (const days of [14, 16, 1]) {
      w.clock.advance(days * DAY + 60_000);
      await w.engine.idle();
    }
    expect(await rowsLeft(w)).toEqual({});
  });

  it("is no affair of an engine that was stopped", async () => {
    const w = boot(mixed);
    await everything(w);
    await w.engine.stop();
    w.clock.advance(400 * DAY);
    await w.engine.idle();
    expect(await rowsLeft(w)).toMatchObject({ runs: 3 });
  });

  it("stays as long as it is told to", async () => {
    const retention = { messages: 5000, logs: 2 * DAY, dlq: DAY, runs: 3 * DAY };
    const w = boot(mixed, { retention });
    await everything(w);
    const [{ messageId }] = (await w.ask("GET", "/v2/logs?state=DELIVERED&url=https://a.test/")).body.logs;
    const path = `/v2/messages/${messageId}`;
    w.clock.advance(4999);
    expect((await w.ask("GET", path)).status).toBe(200);
    w.clock.advance(1);
    expect((await w.ask("GET", path)).status).toBe(404);
    await pass(w, DAY);
    expect(await w.deadLetters()).toEqual([]);
    expect(await logged(w)).toBe(16);
    await pass(w, DAY);
    expect(await logged(w)).toBe(0);
    expect(await w.run("wfr_bad")).toMatchObject({ workflowState: "RUN_FAILED" });
    await pass(w, DAY);
    expect(await w.run("wfr_bad")).toBeUndefined();
    expect(await rowsLeft(w)).toEqual({});
  });

  it("stays for ever where that is asked for", async () => {
    const w = boot(mixed, { retention: { logs: Infinity, dlq: Infinity, runs: Infinity } });
    await everything(w);
    await pass(w, 10_000 * DAY);
    expect(await logged(w)).toBe(16);
    expect(await w.deadLetters()).toHaveLength(2);
    expect(await w.run("wfr_good")).toMatchObject({ workflowState: "RUN_SUCCESS" });
  });

  it("is cleaned up little by little: more than a sweep takes at once, by one that was killed before", async () => {
    const w = boot(mixed, { retention: { messages: 0, logs: DAY, runs: DAY } });
    const items = Array.from({ length: 1100 }, (_, at) => ({
      destination: "https://a.test/",
      body: "x",
      headers: keyed(`k${at % 250}`),
    }));
    await w.ask("POST", "/v2/batch", { body: JSON.stringify(items) });
    await w.start("wfr_long", later);
    for (let at = 0; at < 5; at++) {
      const ids = Array.from({ length: 100 }, (_, id) => result(at * 100 + id + 1));
      await w.append("wfr_long", ids, later);
    }
    await w.end("wfr_long");
    await w.engine.idle();
    await crash(w);
    machine().clock.advance(2 * DAY);
    const again = boot(mixed, { retention: { messages: 0, logs: DAY, runs: DAY } });
    await again.engine.idle();
    expect(await rowsLeft(again)).toEqual({});
  });
});

describe("what isn't over is never swept", () => {
  it("a run that sleeps for longer than anything is kept", async () => {
    const w = boot(sequence(2));
    await w.start("wfr_1");
    await w.engine.idle();
    await w.start("wfr_2", later);
    await pass(w, 299 * DAY);
    expect(await w.run("wfr_2")).toMatchObject({ workflowState: "RUN_STARTED" });
    await w.drain();
    expect(await w.run("wfr_2")).toMatchObject({ workflowState: "RUN_SUCCESS" });
  });

  it("a message that waits for longer than its log is kept", async () => {
    const w = boot(() => ok());
    const id = await publish(w, later);
    await pass(w, 299 * DAY);
    expect((await w.ask("GET", `/v2/messages/${id}`)).body).toMatchObject({ messageId: id, body: "hi" });
    expect(await logged(w)).toBe(0);
    await w.drain();
    expect(w.calls).toHaveLength(1);
    expect(await logged(w)).toBe(2);
  });

  it("a flow control key that something sleeps with, or that somebody has paused or pinned, is kept", async () => {
    const w = boot(() => ok());
    const flow = async (key: string) => (await w.ask("GET", `/v2/flowControl/${key}`)).status;
    await publish(w, keyed("used"));
    await publish(w, { ...keyed("slept"), ...later });
    await w.ask("POST", "/v2/flowControl/paused/pause");
    await w.ask("POST", "/v2/flowControl/pinned/pin?parallelism=1");
    await pass(w, 14 * DAY);
    await pass(w, 60_000);
    expect([await flow("used"), await flow("slept"), await flow("paused"), await flow("pinned")]).toEqual([
      404, 200, 200, 200,
    ]);
    await pass(w, 285 * DAY);
    expect(await flow("slept")).toBe(200);
    await w.drain();
    await w.ask("POST", "/v2/flowControl/paused/resume");
    await w.ask("POST", "/v2/flowControl/pinned/unpin?parallelism=true");
    await pass(w, 14 * DAY);
    expect((await w.ask("GET", "/v2/flowControl")).body).toHaveLength(3);
    await pass(w, 60_000);
    expect((await w.ask("GET", "/v2/flowControl")).body).toEqual([]);
  });

  it("a run whose failure is yet to be reported is kept", async () => {
    const w = boot((call) => (isFailure(call) ? ok() : failed(500, "boom")), { retention: { dlq: DAY } });
    await w.start("wfr_1", { ...ONCE, "Upstash-Failure-Callback-Delay": "100d" });
    await pass(w, 99 * DAY);
    expect(await w.deadLetters()).toEqual([]);
    expect(await w.run("wfr_1")).toMatchObject({ failureFunction: { state: "CALLBACK_INPROGRESS" } });
    await w.drain();
    expect(w.calls.filter(isFailure)).toHaveLength(1);
    await pass(w, DAY);
    expect(await rowsLeft(w)).toEqual({});
  });

  it("a run that another one goes on from is kept as long as that lives", async () => {
    let broken = true;
    const good = sequence(2);
    const w = boot((call, self) => {
      if (isFailure(call)) return ok();
      return broken ? failed(500, "boom") : good(call, self);
    });
    await w.start("wfr_1", ONCE);
    await w.engine.idle();
    broken = false;
    const next = await revive(w, "resume", later);
    await pass(w, 299 * DAY);
    expect(await w.run("wfr_1")).toMatchObject({ workflowState: "RUN_FAILED" });
    await w.drain();
    expect(await w.run(next)).toMatchObject({ workflowState: "RUN_SUCCESS" });
    await pass(w, 15 * DAY);
    await pass(w, 60_000);
    expect(await rowsLeft(w)).toEqual({});
  });

  it("a child outlives those that waited for it, and is never taken for another one's", async () => {
    const w = boot((call) => (isFailure(call) ? ok() : failed(500, "boom")), {
      retention: { dlq: DAY, runs: DAY },
    });
    await w.start("wfr_parent", later);
    await w.append("wfr_parent", [plan(1, "Invoke")], later);
    await w.ask("POST", "/v2/publish/https://app.test/child", {
      headers: {
        [HEADER.runId]: "wfr_child",
        [HEADER.init]: "true",
        [HEADER.invoke]: "true",
        [HEADER.workflowUrl]: "https://app.test/child",
        ...later,
      },
      body: JSON.stringify({
        headers: {},
        workflowRunId: "wfr_parent",
        workflowUrl: "https://app.test/wf",
        step: { stepId: 1, stepName: "step1", stepType: "Invoke", concurrent: 1 },
      }),
    });
    await w.append("wfr_parent", [plan(2)], ONCE);
    await w.engine.idle();
    const next = await revive(w, "resume", later);
    await w.ask("DELETE", `/v2/workflows/runs/${next}?cancel=true`);
    await pass(w, 2 * DAY);
    await pass(w, 60_000);
    for (const id of ["wfr_parent", next]) expect(await w.run(id)).toBeUndefined();
    // Their places in the store are another one's now.
    await w.start("wfr_other", later);
    expect(JSON.stringify(await w.run("wfr_other"))).not.toContain("wfr_child");
    expect(await w.end("wfr_child")).toMatchObject({ status: 200 });
    expect(await w.run("wfr_other")).toMatchObject({ workflowState: "RUN_STARTED" });
  });
});

it("a run that was swept can't be resumed: the answer names its dead letter", async () => {
  const w = boot(() => failed(500, "boom"), { retention: { dlq: DAY, runs: DAY } });
  await w.start("wfr_1", ONCE);
  await w.engine.idle();
  const [{ dlqId }] = await w.deadLetters();
  await pass(w, 3 * DAY);
  for (const kind of ["resume", "restart"]) {
    expect(await w.ask("POST", `/v2/workflows/dlq/${kind}/${dlqId}`)).toMatchObject({
      status: 404,
      body: { error: expect.stringContaining(dlqId) },
    });
  }
});

it.each([
  [{ logs: -1 }, "retention.logs"],
  [{ dlq: Number.NaN }, "retention.dlq"],
  [{ runs: "1d" }, "retention.runs"],
  [{ log: 1 }, 'Unknown option "log" of retention. The options are logs'],
])("a retention of %o is refused", (retention, named) => {
  const options = { store: ":memory:", token: "t", signingKeys: { current: "a", next: "b" }, retention };
  expect(() => createEngine(options as Parameters<typeof createEngine>[0])).toThrow(named);
  expect(() => createEngine(options as Parameters<typeof createEngine>[0])).toThrow(TypeError);
});
