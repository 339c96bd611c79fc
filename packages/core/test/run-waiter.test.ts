import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it, vi } from "vitest";
import { Client, type GivenClient, type WaitForRun } from "../src/index.ts";
import { useRecorder } from "./support/fixture.ts";

const recorder = useRecorder();
const client = () => new Client({ baseUrl: recorder().url, token: "token", retry: false });
const asked = () => recorder().requests.map(({ method, path }) => `${method} ${path}`);
const url = "https://app.example.com/wf";

const log = (workflowState: string, more: object = {}) => ({
  workflowRunId: "wfr_1",
  workflowState,
  workflowRunCreatedAt: 7,
  ...more,
});
/** What Perdure's own engine answers to a wait. */
const held = (workflowState: string, more?: object) => ({
  body: {
    workflowState,
    workflowRunCreatedAt: 7,
    ...(more ? { run: log(workflowState, more) } : {}),
  },
});
const listed = (workflowState: string, more: object = {}) => ({ body: { runs: [log(workflowState, more)] } });
const SUCCESS = ["RUN_SUCCESS", { workflowRunResponse: '{"a":1}' }] as const;
const REPORTING = {
  failureFunction: { state: "CALLBACK_INPROGRESS", failStatus: 500, failResponse: "boom" },
};
const REPORTED = { failureFunction: { state: "CALLBACK_SUCCESS", failStatus: 500, failResponse: "boom" } };
const WAIT = "GET /v2/workflows/runs/wfr_1/wait?timeout=25000ms";
const POLL = "GET /v2/workflows/events?groupBy=workflowRunId&workflowRunId=wfr_1";

/** Answers to waits, and to polls, in their order; the last one again and again. */
function answer(waits: readonly object[], polls: readonly object[] = []): void {
  const left = { wait: [...waits], poll: [...polls] };
  recorder().answer = ({ path }) => {
    const list = path.includes("/wait?") ? left.wait : left.poll;
    return list.length > 1 ? list.shift() : list[0];
  };
}

describe("a wait at an engine that holds the request", () => {
  it("is one request, however long the run takes", async () => {
    let release = (): void => {};
    const ended = new Promise<void>((resolve) => (release = resolve));
    recorder().answer = async () => {
      await ended;
      return held(...SUCCESS);
    };
    setTimeout(release, 300);
    expect(await client().runs.wait("wfr_1")).toMatchObject({
      workflowState: "RUN_SUCCESS",
      result: { a: 1 },
      error: undefined,
    });
    expect(asked()).toEqual([WAIT]);
  });

  it("goes on when the engine's time is over, for the same run", async () => {
    answer([held("RUN_STARTED"), held(...SUCCESS)]);
    expect(await client().runs.wait("wfr_1")).toMatchObject({ result: { a: 1 } });
    expect(asked()).toEqual([WAIT, `${WAIT}&workflowCreatedAt=7`]);
  });

  it("asks for the failure function where that is wanted", async () => {
    answer([held("RUN_FAILED", REPORTED)]);
    const run = await client().runs.wait("wfr_1", { failureFunction: "wait" });
    expect(run.failureFunction?.state).toBe("CALLBACK_SUCCESS");
    expect(asked()).toEqual([`${WAIT}&failureFunction=wait`]);
  });

  it("gives the failure function a second", async () => {
    answer([held("RUN_FAILED", REPORTING), held("RUN_FAILED", REPORTED)]);
    const run = await client().runs.wait("wfr_1");
    expect(run.failureFunction?.state).toBe("CALLBACK_SUCCESS");
    const [first, second = "", ...more] = asked();
    expect([first, more]).toEqual([WAIT, []]);
    const { searchParams } = new URL(second.slice(4), "http://engine");
    expect(searchParams.get("failureFunction")).toBe("wait");
    expect(Number.parseInt(searchParams.get("timeout") ?? "", 10)).toBeLessThanOrEqual(1000);
  });

  it("returns with the failure function under way when its second is over", async () => {
    answer([held("RUN_FAILED", REPORTING), held("RUN_FAILED")]);
    const run = await client().runs.wait("wfr_1", { timeout: "100ms" });
    expect(run.failureFunction?.state).toBe("CALLBACK_INPROGRESS");
  });

  it("says which part isn't over when the time is, and of which run", async () => {
    answer([held("RUN_STARTED")]);
    await expect(client().runs.wait("wfr_1", { timeout: 0 })).rejects.toMatchObject({
      code: "timeout",
      message: 'The run "wfr_1" hasn\'t ended within 0 s.',
      cause: { workflowRunId: "wfr_1", workflowState: "RUN_STARTED" },
    });
    expect(asked()).toEqual(["GET /v2/workflows/runs/wfr_1/wait?timeout=0ms"]);
    answer([held("RUN_CANCELED")]);
    await expect(
      client().runs.wait("wfr_1", { timeout: "20ms", failureFunction: "wait" }),
    ).rejects.toMatchObject({
      message: 'The run "wfr_1" was cancelled, and its cancel function hasn\'t ended within 20ms.',
    });
  });

  it("ends with the signal, and closes the connection", async () => {
    let closed = (): void => {};
    const isClosed = new Promise<void>((resolve) => (closed = resolve));
    const controller = new AbortController();
    const server = createServer((_, response) => {
      response.once("close", closed);
      controller.abort(new Error("enough"));
    }).listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const { runs } = new Client({ baseUrl, token: "token" });
    await expect(runs.wait("wfr_1", { signal: controller.signal })).rejects.toThrow("enough");
    await isClosed;
    server.close();
  });

  it("ends with the signal through a client that knows none", async () => {
    const request = vi.fn(() => new Promise(() => {}));
    const { runs } = new Client({ http: { request } } as unknown as GivenClient);
    const controller = new AbortController();
    const waiting = runs.wait("wfr_1", { signal: controller.signal });
    controller.abort(new Error("enough"));
    await expect(waiting).rejects.toThrow("enough");
  });
});

describe("a wait at an engine that can't hold the request", () => {
  it.each<[string, object]>([
    ["doesn't know it", { status: 404, body: { error: "not found" } }],
    ["doesn't allow it", { status: 405, body: { error: "method not allowed" } }],
    ["answers something else", { body: [] }],
    ["answers null", { text: "null" }],
  ])("polls one that %s, and asks it once", async (_, refusal) => {
    answer([refusal], [listed("RUN_STARTED"), listed(...SUCCESS)]);
    const { runs } = client();
    expect(await runs.wait("wfr_1")).toMatchObject({ result: { a: 1 } });
    expect(asked()).toEqual([WAIT, POLL, POLL]);
    await runs.wait("wfr_1");
    expect(asked().slice(3)).toEqual([POLL]);
  });

  it.each<[string, object]>([
    ["has no place", { status: 503, body: { error: "1000 requests wait already" } }],
    ["is behind a proxy that gives up", { status: 504, text: "<h1>Gateway timeout</h1>" }],
    ["is behind a page", { text: "<h1>Welcome</h1>" }],
  ])("polls one that %s, and asks again", async (_, refusal) => {
    answer([refusal, held(...SUCCESS)], [listed("RUN_STARTED")]);
    expect(await client().runs.wait("wfr_1")).toMatchObject({ result: { a: 1 } });
    expect(asked()).toEqual([WAIT, POLL, `${WAIT}&workflowCreatedAt=7`]);
  });

  it("knows a run that isn't there, and asks as before for the next one", async () => {
    answer(
      [{ status: 404, body: { error: "workflow run wfr_1 not found" } }, held(...SUCCESS)],
      [{ body: { runs: [] } }],
    );
    const { runs } = client();
    await expect(runs.wait("wfr_1")).rejects.toMatchObject({ code: "unknown_run" });
    expect(await runs.wait("wfr_1")).toMatchObject({ result: { a: 1 } });
    expect(asked()).toEqual([WAIT, POLL, WAIT]);
  });

  it("throws what the poll is refused with", async () => {
    recorder().answer = () => ({ status: 401, body: { error: "unauthorized" } });
    await expect(client().runs.wait("wfr_1")).rejects.toMatchObject({ code: "engine_refused" });
    expect(asked()).toEqual([WAIT, POLL]);
  });
});

describe("an engine that never answers", () => {
  afterEach(() => void vi.useRealTimers());

  it("is given up ten seconds after its time, and polled", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date"] });
    const request = vi.fn(({ path }: { path: string[] }) =>
      path.at(-1) === "wait" ? new Promise(() => {}) : Promise.resolve(listed(...SUCCESS).body),
    );
    const { runs } = new Client({ http: { request } } as unknown as GivenClient);
    const ended = vi.fn();
    const done = runs.wait("wfr_1").then(ended);
    await vi.advanceTimersByTimeAsync(34_999);
    expect(request).toHaveBeenCalledTimes(1);
    await vi.advanceTimersByTimeAsync(1);
    await done;
    expect(request).toHaveBeenCalledTimes(2);
  });
});

describe("trigger that waits", () => {
  /** Runs that end when they are asked for: the first try of each is answered late. */
  function ends(): string[] {
    const waited: string[] = [];
    recorder().answer = ({ path }) => {
      const [, id = ""] = /runs\/(wfr_[^/]+)\/wait/.exec(path) ?? [];
      if (id === "") return undefined;
      waited.push(id);
      return held("RUN_SUCCESS", { workflowRunId: id, workflowRunResponse: JSON.stringify({ of: id }) });
    };
    return waited;
  }

  it("returns the ended run", async () => {
    ends();
    const run = await client().trigger<{ of: string }>({ url, workflowRunId: "a" }, { wait: true });
    expect(run).toMatchObject({
      workflowRunId: "wfr_a",
      deduplicated: false,
      workflowState: "RUN_SUCCESS",
      result: { of: "wfr_a" },
    });
    expect(asked()).toEqual(["POST /v2/batch", "GET /v2/workflows/runs/wfr_a/wait?timeout=25000ms"]);
  });

  it("returns the runs of a list in their order, six of which it waits for at a time", async () => {
    const all = Array.from({ length: 20 }, (_, at) => ({ url, workflowRunId: `n${at}` }));
    let waiting = 0;
    let most = 0;
    const waited = ends();
    const { answer: inner } = recorder();
    recorder().answer = async (request) => {
      if (!request.path.includes("/wait?")) return inner(request);
      most = Math.max(most, ++waiting);
      await new Promise((resolve) => setTimeout(resolve, 5));
      waiting--;
      return inner(request);
    };
    const runs = await client().trigger<{ of: string }>(all, {
      wait: { timeout: "1m", failureFunction: "wait" },
    });
    expect(runs.map(({ result }) => result?.of)).toEqual(
      all.map(({ workflowRunId }) => `wfr_${workflowRunId}`),
    );
    expect(waited).toHaveLength(20);
    expect(most).toBe(6);
    expect(asked()[1]).toMatch(/failureFunction=wait$/);
    expect(await client().trigger([], { wait: true })).toEqual([]);
  });

  it("has one time limit for all", async () => {
    answer([held("RUN_STARTED")]);
    recorder().answer = (
      ({ answer: inner }) =>
      (request) =>
        request.path === "/v2/batch" ? undefined : inner(request)
    )(recorder());
    const all = Array.from({ length: 7 }, (_, at) => ({ url, workflowRunId: `n${at}` }));
    const began = Date.now();
    await expect(client().trigger(all, { wait: { timeout: "300ms" } })).rejects.toMatchObject({
      code: "timeout",
      cause: { workflowRunId: expect.stringMatching(/^wfr_n/) },
    });
    expect(Date.now() - began).toBeLessThan(5000);
  });

  it.each<[string, object]>([
    ["a limit that is none", { wait: { timeout: "soon" } }],
    ["an unknown limit", { wait: { timeOut: 1 } }],
    ["another failure function", { wait: { failureFunction: true } }],
    ["no limit at all", { wait: 5 }],
    ["null", { wait: null }],
    ["nothing", {}],
    ["another option", { await: true }],
  ])("refuses %s before it starts a run", async (_, and) => {
    await expect(client().trigger({ url }, and as { wait: WaitForRun })).rejects.toThrow(TypeError);
    expect(asked()).toEqual([]);
  });
});
