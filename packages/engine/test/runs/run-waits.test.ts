import { once } from "node:events";
import { request } from "node:http";
import { DEV_CREDENTIALS, HEADER, NON_RETRYABLE_STATUS } from "@perdure/core/protocol";
import { describe, expect, it } from "vitest";
import { listen } from "../../src/cli/listen.ts";
import { ManualClock, openSqlite } from "../../src/index.ts";
import { failing, NOT_AGAIN } from "../failing.ts";
import {
  type Answer,
  APP,
  failed,
  ok,
  START,
  sequence,
  until,
  type World,
  type WorldOptions,
  world,
} from "../harness.ts";

/** A world that counts how often waits look at runs; `onLook` runs between a look and what comes of it. */
function watched(endpoint?: Parameters<typeof world>[0], options: WorldOptions = {}) {
  const clock = new ManualClock(START);
  const store = openSqlite(":memory:", { now: () => clock.now() });
  const look = store.runEnd;
  const watch = { looks: 0, onLook: async (_: number): Promise<void> => {} };
  Object.assign(store, {
    runEnd: async (choice: Parameters<typeof look>[0]) => {
      const found = await look(choice);
      await watch.onLook(++watch.looks);
      return found;
    },
  });
  return { w: world(endpoint, { ...options, opened: store, clock }), watch };
}

/** A wait that has begun: its answer, once there is one. */
function begin(w: World, query = "", runId = "wfr_1") {
  const state: { answer?: Answer } = {};
  const done = w.ask("GET", `/v2/workflows/runs/${runId}/wait${query}`).then((answer) => {
    state.answer = answer;
    return answer;
  });
  return { state, done };
}

/** A run that doesn't end by itself, and a wait that has looked at it. */
async function waiting(query = "", options: WorldOptions = {}) {
  const { w, watch } = watched(undefined, options);
  await w.start("wfr_1", { [HEADER.delay]: "1d" });
  const wait = begin(w, query);
  await until(() => watch.looks > 0);
  return { w, watch, ...wait };
}

describe("a wait for the end of a run", () => {
  it("is answered with the run when it ends, after two looks", async () => {
    const { w, watch, done } = await waiting();
    await w.end("wfr_1", '"done"');
    expect(await done).toMatchObject({
      status: 200,
      body: {
        workflowState: "RUN_SUCCESS",
        run: { workflowRunId: "wfr_1", workflowRunResponse: '"done"', steps: [{ type: "sequential" }] },
      },
    });
    expect(watch.looks).toBe(2);
  });

  it("doesn't look again for each step", async () => {
    const { w, watch } = watched(sequence(20));
    const wait = w.start("wfr_1").then(() => begin(w).done);
    await w.drain();
    expect((await wait).body).toMatchObject({ workflowState: "RUN_SUCCESS" });
    expect(watch.looks).toBeLessThanOrEqual(2);
  });

  it("is answered at once for a run that has ended", async () => {
    const { w, watch } = watched(sequence(1));
    await w.start("wfr_1");
    await w.drain();
    expect((await begin(w).done).body).toMatchObject({ workflowState: "RUN_SUCCESS", run: {} });
    expect(watch.looks).toBe(1);
  });

  it("isn't missed when the run ends right after the look", async () => {
    const { w, watch } = watched();
    await w.start("wfr_1", { [HEADER.delay]: "1d" });
    watch.onLook = async (count) => {
      if (count === 1) await w.end("wfr_1", '"meanwhile"');
    };
    // The clock stands still: only the end can bring the answer.
    expect((await begin(w).done).body).toMatchObject({ run: { workflowRunResponse: '"meanwhile"' } });
    expect(watch.looks).toBe(2);
  });

  it.each<[string, (w: World) => unknown, string]>([
    ["is cancelled", (w) => w.ask("DELETE", "/v2/workflows/runs/wfr_1"), "RUN_CANCELED"],
    ["is cancelled with others", (w) => w.ask("DELETE", "/v2/workflows/runs"), "RUN_CANCELED"],
    ["is cancelled by its message", (w) => w.ask("DELETE", "/v2/messages"), "RUN_CANCELED"],
    ["has lived for too long", (w) => w.clock.advance(20_000), "RUN_FAILED"],
  ])("is answered when the run %s", async (_, end, state) => {
    const { w, watch } = watched();
    const lifetime = { "Perdure-Run-Timeout": "20s" };
    await w.start("wfr_1", { [HEADER.delay]: "1h", ...lifetime });
    const { done } = begin(w, "?timeout=60s");
    await until(() => watch.looks > 0);
    await end(w);
    expect((await done).body).toMatchObject({ workflowState: state, run: { workflowState: state } });
  });

  it("ends without the run when the time is over, and not before", async () => {
    const { w, state, done } = await waiting("?timeout=2s");
    w.clock.advance(1999);
    await w.engine.idle();
    expect(state.answer).toBeUndefined();
    w.clock.advance(1);
    expect((await done).body).toEqual({ workflowState: "RUN_STARTED", workflowRunCreatedAt: START });
  });

  it("takes 25 seconds by default, and a minute at most", async () => {
    const { w, state, done } = await waiting();
    w.clock.advance(24_999);
    await w.engine.idle();
    expect(state.answer).toBeUndefined();
    w.clock.advance(1);
    expect((await done).status).toBe(200);
    expect(await begin(w, "?timeout=61s").done).toMatchObject({
      status: 400,
      body: { error: expect.stringContaining("60s at most") },
    });
    expect((await begin(w, "?timeout=0s").done).body).toMatchObject({ workflowState: "RUN_STARTED" });
  });

  it("is for the run that it has found, also when another one gets its id", async () => {
    const { w, watch } = watched();
    await w.start("wfr_1", { [HEADER.delay]: "1d" });
    watch.onLook = async (count) => {
      if (count > 1) return;
      await w.end("wfr_1", '"first"');
      await w.start("wfr_1", { [HEADER.delay]: "1d" });
    };
    const { body } = await begin(w).done;
    expect(body).toMatchObject({ run: { workflowRunResponse: '"first"' } });
    const { workflowRunCreatedAt: first } = body;
    expect((await begin(w, "?timeout=0s").done).body.workflowState).toBe("RUN_STARTED");
    expect((await begin(w, `?workflowCreatedAt=${first}`).done).body).toMatchObject({
      workflowState: "RUN_SUCCESS",
    });
  });

  it("for a run that isn't there is refused", async () => {
    expect(await begin(world(), "", "wfr_none").done).toMatchObject({
      status: 404,
      body: { error: "workflow run wfr_none not found" },
    });
  });

  it("may be made with a token that only reads", async () => {
    const w = world(sequence(0), { readOnlyTokens: ["looks only"] });
    await w.start("wfr_1");
    await w.drain();
    const ask = (token: string | null) => w.ask("GET", "/v2/workflows/runs/wfr_1/wait", { token });
    expect((await ask("looks only")).body.workflowState).toBe("RUN_SUCCESS");
    expect((await ask(null)).status).toBe(401);
  });

  it("finds what another process has changed within 30 seconds", async () => {
    const { w, done } = await waiting("?timeout=60s");
    // Nothing in this process hears of the end.
    w.store.onEvent(() => {});
    await w.end("wfr_1", '"elsewhere"');
    w.clock.advance(30_000);
    expect((await done).body).toMatchObject({ run: { workflowRunResponse: '"elsewhere"' } });
  });
});

describe("a wait for the failure function", () => {
  const boom = (): Response => failed(NON_RETRYABLE_STATUS, "boom", NOT_AGAIN);
  const LATER = { "Upstash-Failure-Callback-Retries": "3", "Upstash-Failure-Callback-Retry-Delay": "30000" };
  const ALL = "?failureFunction=wait&timeout=60s";

  /** A run that has failed, and whose failure function's first attempt has failed, too. */
  async function reporting(query: string) {
    let answer = (): Response => failed(500, "not now");
    const { w, watch } = watched(failing(boom, () => answer()));
    await w.start("wfr_1", { "Upstash-Failure-Callback": APP, ...LATER });
    await until(() => w.events.some(({ type }) => type === "retrying"));
    const wait = begin(w, query);
    await until(() => watch.looks > 0);
    return { w, ...wait, heal: () => (answer = () => ok('"told"')) };
  }

  it("ends with it", async () => {
    const { w, state, done, heal } = await reporting(ALL);
    heal();
    w.clock.advance(29_999);
    await w.engine.idle();
    expect(state.answer).toBeUndefined();
    w.clock.advance(1);
    expect((await done).body).toMatchObject({
      run: { workflowState: "RUN_FAILED", failureFunction: { state: "CALLBACK_SUCCESS" } },
    });
  });

  it("ends when it is cancelled", async () => {
    const { w, done } = await reporting(ALL);
    const [{ dlqId }] = await w.deadLetters("?source=workflow");
    const cancelled = await w.ask("DELETE", `/v2/workflows/dlq/callback/${dlqId}`);
    expect(cancelled.status).toBe(200);
    expect(w.events.at(-1)).toMatchObject({ type: "failure.canceled", runId: "wfr_1", kind: "failure" });
    expect((await done).body).toMatchObject({ run: { failureFunction: { state: "CALLBACK_CANCELED" } } });
  });

  it("says how the run stands when the time is over", async () => {
    const { w, done } = await reporting("?failureFunction=wait&timeout=1s");
    w.clock.advance(1000);
    expect((await done).body).toEqual({ workflowState: "RUN_FAILED", workflowRunCreatedAt: START });
  });

  it("is made only where it is asked for", async () => {
    const { done } = await reporting("");
    expect((await done).body).toMatchObject({
      run: { workflowState: "RUN_FAILED", failureFunction: { state: "CALLBACK_INPROGRESS" } },
    });
  });

  it("is over with the run that has none", async () => {
    const w = world(sequence(1));
    await w.start("wfr_1");
    await w.drain();
    expect((await begin(w, ALL).done).body).toMatchObject({ run: { workflowState: "RUN_SUCCESS" } });
  });
});

describe("waits", () => {
  const LIMITS = { limits: { runWaits: 1 } };
  const FULL = {
    status: 503,
    body: { error: expect.stringContaining("limits.runWaits") },
  };

  it("have a limit, and a place that is free again is given away", async () => {
    const { w, watch, done } = await waiting("", LIMITS);
    const refused = await begin(w).done;
    expect(refused).toMatchObject(FULL);
    expect(refused.headers.get("retry-after")).toBe("2");
    await w.end("wfr_1");
    await done;
    await w.start("wfr_2", { [HEADER.delay]: "1d" });
    const next = begin(w, "", "wfr_2");
    await until(() => watch.looks > 2);
    expect(await begin(w).done).toMatchObject(FULL);
    await w.end("wfr_2");
    expect((await next.done).status).toBe(200);
    expect((await begin(w, "", "wfr_none").done).status).toBe(404);
    expect((await begin(w).done).status).toBe(200);
  });

  it("leave their place when the client closes the connection", async () => {
    const { w, watch } = watched(undefined, LIMITS);
    await w.start("wfr_1", { [HEADER.delay]: "1d" });
    const { server, port } = await listen(w.engine.fetch, { host: "127.0.0.1", port: 0 });
    const headers = { Authorization: `Bearer ${DEV_CREDENTIALS.token}` };
    const asked = request({ port, host: "127.0.0.1", path: "/v2/workflows/runs/wfr_1/wait", headers });
    asked.on("error", () => {});
    asked.end();
    await until(() => watch.looks > 0);
    expect(await begin(w).done).toMatchObject(FULL);
    asked.destroy();
    await until(async () => (await begin(w, "?timeout=0s").done).status === 200);
    expect(w.events.filter(({ type }) => type === "fault")).toEqual([]);
    server.close();
    server.closeAllConnections();
    await once(server, "close");
  });

  it("are answered at once when the engine stops", async () => {
    const { w, done } = await waiting();
    const stopped = w.engine.stop();
    const refused = await done;
    expect(refused).toMatchObject({ status: 503, body: { error: "the engine stops" } });
    expect(refused.headers.get("retry-after")).toBe("2");
    await stopped;
    expect((await begin(w).done).status).toBe(503);
    w.engine.start();
    expect((await begin(w, "?timeout=0s").done).status).toBe(200);
  });
});

describe("engine.runs.wait", () => {
  it("gives the run once it has ended", async () => {
    const { w, watch } = watched(sequence(1), { concurrency: 1 });
    await w.start("wfr_1", { [HEADER.delay]: "1h" });
    const run = w.engine.runs.wait("wfr_1");
    await until(() => watch.looks > 0);
    await w.drain();
    expect(await run).toMatchObject({ workflowState: "RUN_SUCCESS", workflowRunResponse: '"all done"' });
  });

  it("gives the run as it is when the time is over", async () => {
    const { w, watch } = watched();
    await w.start("wfr_1", { [HEADER.delay]: "1d" });
    const run = w.engine.runs.wait("wfr_1", { timeout: "90s" });
    await until(() => watch.looks > 0);
    w.clock.advance(90_000);
    expect(await run).toMatchObject({ workflowRunId: "wfr_1", workflowState: "RUN_STARTED" });
    expect((await w.engine.runs.wait("wfr_1", { timeout: 0 })).workflowState).toBe("RUN_STARTED");
  });

  it("ends with its signal, and frees its place", async () => {
    const { w, watch } = watched(undefined, { limits: { runWaits: 1 } });
    await w.start("wfr_1", { [HEADER.delay]: "1d" });
    const controller = new AbortController();
    const run = w.engine.runs.wait("wfr_1", { signal: controller.signal });
    await until(() => watch.looks > 0);
    await expect(w.engine.runs.wait("wfr_1")).rejects.toMatchObject({
      code: "unavailable",
      facts: { limit: 1, retryAfter: 2 },
    });
    controller.abort(new Error("enough"));
    await expect(run).rejects.toThrow("enough");
    expect((await w.engine.runs.wait("wfr_1", { timeout: 0 })).workflowRunId).toBe("wfr_1");
    await expect(w.engine.runs.wait("wfr_1", { signal: AbortSignal.abort(new Error("no")) })).rejects.toThrow(
      "no",
    );
  });

  it("refuses what it doesn't know", async () => {
    const { engine } = world();
    await expect(engine.runs.wait("wfr_none")).rejects.toMatchObject({ code: "not_found" });
    const refused = (options: object) =>
      expect(engine.runs.wait("wfr_1", options)).rejects.toThrow(TypeError);
    await refused({ timeout: "soon" });
    await refused({ timeout: -1 });
    await refused({ failureFunction: "yes" });
    await refused({ timeOut: 1 });
    await expect(engine.runs.wait("")).rejects.toThrow(TypeError);
  });
});
