import { signed } from "@perdure/test-support/delivery";
import { afterEach, describe, expect, it, vi } from "vitest";
import { Client, type GivenClient, type WaitForRun } from "../src/index.ts";
import { closed, useRecorder } from "./support/fixture.ts";

const recorder = useRecorder();
const client = () => new Client({ baseUrl: recorder().url, token: "token" });
const asked = () => recorder().requests.map(({ method, path }) => `${method} ${path}`);

describe("cancel", () => {
  it.each<[string, Parameters<Client["cancel"]>[0], string]>([
    ["one", "wfr_1", "workflowRunIds=wfr_1"],
    ["several", ["wfr_1", "wfr_2"], "workflowRunIds=wfr_1&workflowRunIds=wfr_2"],
    ["named ones", { workflowRunIds: ["wfr_1"] }, "workflowRunIds=wfr_1"],
    [
      "those of a URL",
      { filter: { workflowUrl: "https://a/b" } },
      "workflowUrl=https%3A%2F%2Fa%2Fb&workflowUrlExactMatch=true&count=100",
    ],
    [
      "those whose URL begins with",
      { filter: { workflowUrlStartingWith: "https://a" }, count: 5 },
      "workflowUrl=https%3A%2F%2Fa&count=5",
    ],
    [
      "those with a label, since",
      { filter: { label: ["a", "b"], fromDate: new Date(5) } },
      "label=a&label=b&fromDate=5&count=100",
    ],
    ["all", { all: true }, "count=100"],
  ])("%s", async (_name, selection, query) => {
    recorder().answer = () => ({ body: { cancelled: 2 } });
    expect(await client().cancel(selection)).toEqual({ cancelled: 2 });
    expect(asked()).toEqual([`DELETE /v2/workflows/runs?${query}`]);
  });

  it("none asks nobody", async () => {
    expect(await client().cancel([])).toEqual({ cancelled: 0 });
    expect(asked()).toEqual([]);
  });

  it.each([
    ["an empty id", [""]],
    ["an empty filter", { filter: {} }],
    ["an empty list in a filter", { filter: { label: [] } }],
    ["nothing", {}],
    ["what isn't there", undefined],
    ["ids that aren't there", { workflowRunIds: undefined }],
    ["two kinds of URL", { filter: { workflowUrl: "a", workflowUrlStartingWith: "b" } }],
  ])("of %s is refused: it could take everything", async (_name, selection) => {
    await expect(async () => client().cancel(selection as never)).rejects.toThrow(TypeError);
    expect(asked()).toEqual([]);
  });
});

describe("events", () => {
  it("are told to all, or to one run", async () => {
    recorder().answer = () => ({ status: 201, body: [] });
    await client().notify({ eventId: "e/1", eventData: { a: 1 } });
    await client().notify({ eventId: "e", eventData: "text", workflowRunId: "wfr_1" });
    await client().notify({ eventId: "e" });
    expect(asked()).toEqual(["POST /v2/notify/e%2F1", "POST /v2/notify/wfr_1/e", "POST /v2/notify/e"]);
    expect(recorder().requests.map(({ body }) => body)).toEqual(['{"a":1}', "text", ""]);
  });

  it("have waiters", async () => {
    const waiter = { url: "https://a", deadline: 5, headers: {} };
    recorder().answer = () => ({ body: [waiter] });
    expect(await client().getWaiters({ eventId: "e 1" })).toEqual([waiter]);
    expect(asked()).toEqual(["GET /v2/waiters/e%201"]);
  });

  it("need an id", async () => {
    await expect(client().notify({ eventId: "" })).rejects.toThrow(TypeError);
    await expect(client().getWaiters({ eventId: "" })).rejects.toThrow(TypeError);
  });
});

describe("logs", () => {
  it("are asked for with every filter", async () => {
    recorder().answer = () => ({ body: { runs: [], cursor: "" } });
    const page = await client().logs({
      cursor: "c",
      count: 3,
      filter: {
        workflowUrl: "https://a",
        state: "RUN_FAILED",
        label: ["x", "y"],
        toDate: 7,
        host: "a",
        workflowCreatedAt: 4,
      },
    });
    expect(page).toEqual({ runs: [] });
    expect(asked()).toEqual([
      "GET /v2/workflows/events?groupBy=workflowRunId&workflowUrl=https%3A%2F%2Fa&state=RUN_FAILED&label=x&label=y&toDate=7&host=a&workflowCreatedAt=4&cursor=c&count=3",
    ]);
  });
});

describe("a run", () => {
  const run = (workflowState: string, more: object = {}) => ({
    body: { runs: [{ workflowRunId: "wfr_1", workflowState, ...more }] },
  });

  const reported = (state: string, of = "failureFunction") => ({
    [of]: { state, failStatus: 500, failResponse: "boom" },
    ...(of === "failureFunction"
      ? { workflowRunError: { name: "Error", message: "boom", where: "delivery" } }
      : {}),
  });

  it("is got by its id", async () => {
    recorder().answer = () => run("RUN_STARTED");
    expect(await client().runs.get("wfr_1")).toMatchObject({ workflowState: "RUN_STARTED" });
    recorder().answer = () => ({ body: { runs: [] } });
    expect(await client().runs.get("wfr_1")).toBeUndefined();
    await expect(client().runs.get("")).rejects.toThrow(TypeError);
  });

  it("is waited for, and gives its result", async () => {
    let asks = 0;
    recorder().answer = () =>
      ++asks < 3 ? run("RUN_STARTED") : run("RUN_SUCCESS", { workflowRunResponse: '{"a":1}' });
    expect(await client().runs.wait("wfr_1")).toMatchObject({
      workflowState: "RUN_SUCCESS",
      result: { a: 1 },
    });
    expect(asks).toBe(3);
  });

  it("that has failed has ended, whatever its failure function does", async () => {
    recorder().answer = () => run("RUN_FAILED", reported("CALLBACK_INPROGRESS"));
    expect(await client().runs.wait("wfr_1", { timeout: 0 })).toMatchObject({
      workflowState: "RUN_FAILED",
      failureFunction: { state: "CALLBACK_INPROGRESS" },
      result: undefined,
      error: { message: "boom" },
    });
  });

  describe.each([
    ["RUN_FAILED", "failureFunction"],
    ["RUN_CANCELED", "cancelFunction"],
  ] as const)("%s whose %s is about to end", (state, of) => {
    const unfinished = run(state, reported("CALLBACK_INPROGRESS", of));

    afterEach(() => void vi.useRealTimers());

    /** A wait in time that passes by hand, and how often it has asked. */
    function waitBy(answer: () => unknown, options?: WaitForRun) {
      vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date"] });
      const request = vi.fn(async () => answer());
      const waiter = new Client({ http: { request } } as unknown as GivenClient);
      const ended = vi.fn();
      const done = waiter.runs.wait("wfr_1", options).then((log) => void ended(log[of]?.state));
      return { request, ended, done };
    }

    it("gets a moment for that", async () => {
      let asks = 0;
      const { done, ended } = waitBy(
        () => (++asks < 4 ? unfinished : run(state, reported("CALLBACK_SUCCESS", of))).body,
      );
      await vi.advanceTimersByTimeAsync(300);
      expect(ended.mock.calls).toEqual([["CALLBACK_SUCCESS"]]);
      await done;
    });

    it("gets no more than a second", async () => {
      const { request, ended } = waitBy(() => unfinished.body);
      await vi.advanceTimersByTimeAsync(999);
      expect(ended).not.toHaveBeenCalled();
      await vi.advanceTimersByTimeAsync(1);
      expect(ended.mock.calls).toEqual([["CALLBACK_INPROGRESS"]]);
      expect(request.mock.calls.length).toBeLessThan(10);
    });

    it("gets no more than the time that is left", async () => {
      const { ended } = waitBy(() => unfinished.body, { timeout: 0.2 });
      await vi.advanceTimersByTimeAsync(200);
      expect(ended.mock.calls).toEqual([["CALLBACK_INPROGRESS"]]);
    });
  });

  it.each(["RUN_FAILED", "RUN_CANCELED"])(
    "%s is waited for with its function where that is asked",
    async (state) => {
      let asks = 0;
      const of = state === "RUN_FAILED" ? "failureFunction" : "cancelFunction";
      recorder().answer = () =>
        run(state, reported(++asks < 3 ? "CALLBACK_INPROGRESS" : "CALLBACK_FAIL", of));
      const ended = await client().runs.wait("wfr_1", { failureFunction: "wait" });
      expect(ended[of]?.state).toBe("CALLBACK_FAIL");
      expect(asks).toBe(3);
    },
  );

  it("that has failed isn't said to be under way when its failure function is", async () => {
    recorder().answer = () => run("RUN_FAILED", reported("CALLBACK_INPROGRESS"));
    await expect(
      client().runs.wait("wfr_1", { failureFunction: "wait", timeout: 0.06 }),
    ).rejects.toMatchObject({
      code: "timeout",
      message: 'The run "wfr_1" has failed, and its failure function hasn\'t ended within 0.06 s.',
    });
    await expect(client().runs.wait("wfr_1", { failureFunction: "yes" as "wait" })).rejects.toThrow(
      TypeError,
    );
  });

  describe("of an engine that has no errors in its logs has the error", () => {
    const body = JSON.stringify({
      error: "RangeError",
      message: "too far",
      where: "step",
      step: { id: 1, name: "go", type: "Run" },
    });
    const expected = { name: "RangeError", message: "too far", where: "step", step: { name: "go" } };

    it("of the failure function's report", async () => {
      const failureFunction = { state: "CALLBACK_SUCCESS", failStatus: 500, failResponse: body };
      recorder().answer = () => run("RUN_FAILED", { failureFunction });
      expect(await client().runs.get("wfr_1")).toMatchObject({
        error: expected,
        failureFunction: { failResponse: "too far" },
      });
      expect((await client().logs()).runs[0]?.failureFunction?.failResponse).toBe("too far");
    });

    it("of the last attempt", async () => {
      const step = {
        messageId: "m",
        state: "STEP_FAILED",
        retries: 0,
        errors: [{ error: "status 500", body, status: 500, time: 1 }],
      };
      recorder().answer = () => run("RUN_FAILED", { steps: [{ type: "next", steps: [step] }] });
      expect(await client().runs.get("wfr_1")).toMatchObject({ error: expected });
    });

    it("of a page, or of nothing at all", async () => {
      const failureFunction = {
        state: "CALLBACK_SUCCESS",
        failStatus: 502,
        failResponse: "<h1>Bad gateway</h1>",
      };
      recorder().answer = () => run("RUN_FAILED", { failureFunction });
      expect((await client().runs.get("wfr_1"))?.error).toMatchObject({
        name: "WorkflowError",
        message: "<h1>Bad gateway</h1>",
        where: "delivery",
      });
      recorder().answer = () => run("RUN_FAILED");
      expect((await client().runs.get("wfr_1"))?.error).toMatchObject({
        message: "status 0",
        where: "delivery",
      });
    });
  });

  it("isn't waited for longer than was said, nor if there is none, nor once it isn't wanted", async () => {
    recorder().answer = () => run("RUN_STARTED");
    await expect(client().runs.wait("wfr_1", { timeout: 0.1 })).rejects.toMatchObject({ code: "timeout" });
    await expect(
      client().runs.wait("wfr_1", { signal: AbortSignal.abort(new Error("no more")) }),
    ).rejects.toThrow("no more");
    const controller = new AbortController();
    const waiting = client().runs.wait("wfr_1", { signal: controller.signal });
    setTimeout(() => controller.abort(new Error("enough")), 60);
    await expect(waiting).rejects.toThrow("enough");
    recorder().answer = () => ({ body: { runs: [] } });
    await expect(client().runs.wait("wfr_1")).rejects.toMatchObject({ code: "unknown_run" });
  });
});

describe("the dead letter queue", () => {
  it("is listed", async () => {
    recorder().answer = () => ({ body: { messages: [{ dlqId: "1" }], cursor: "next" } });
    const filter = { workflowRunId: "wfr_1", failureFunctionState: "CALLBACK_FAIL" } as const;
    expect(await client().dlq.list({ filter, count: 1 })).toEqual({
      messages: [{ dlqId: "1" }],
      cursor: "next",
    });
    expect(asked()).toEqual([
      "GET /v2/dlq?workflowRunId=wfr_1&failureFunctionState=CALLBACK_FAIL&count=1&source=workflow",
    ]);
  });

  it.each(["resume", "restart"] as const)("%ss one, many or all, with other options", async (how) => {
    const runs = [{ workflowRunId: "wfr_2", workflowCreatedAt: 5 }];
    recorder().answer = () => ({ body: { workflowRuns: runs, cursor: "" } });
    const { dlq } = client();
    expect(await dlq[how]("1-0")).toEqual({ workflowRuns: runs });
    await dlq[how](["1-0", "2-0"], { retries: 5, flowControl: { key: "k", rate: 2 } });
    await dlq[how]({ filter: { label: "l" }, count: 2, cursor: "c" });
    await dlq[how]({ all: true });
    expect(asked()).toEqual([
      `POST /v2/workflows/dlq/${how}?dlqIds=1-0`,
      `POST /v2/workflows/dlq/${how}?dlqIds=1-0&dlqIds=2-0`,
      `POST /v2/workflows/dlq/${how}?label=l&count=2&cursor=c`,
      `POST /v2/workflows/dlq/${how}?count=100`,
    ]);
    expect(recorder().requests[1]?.headers).toMatchObject({
      "upstash-retries": "5",
      "upstash-flow-control-key": "k",
      "upstash-flow-control-value": "rate=2",
    });
    recorder().reset();
    expect(await dlq[how]([])).toEqual({ workflowRuns: [] });
    expect(asked()).toEqual([]);
  });

  it("resumes with whatever is to be different", async () => {
    recorder().answer = () => ({ body: { workflowRuns: [], cursor: "" } });
    await client().dlq.resume("1-0", {
      retryDelay: "1000",
      label: ["a", "b"],
      delay: "2m",
      notBefore: 5,
      timeout: 90,
      failureUrl: "https://a.example/failed",
      failureRetries: 0,
      failureRetryDelay: "2000",
    });
    expect(recorder().requests[0]?.headers).toMatchObject({
      "upstash-retry-delay": "1000",
      "upstash-label": "a,b",
      "upstash-delay": "2m",
      "upstash-not-before": "5",
      "perdure-run-timeout": "90s",
      "upstash-failure-callback": "https://a.example/failed",
      "upstash-failure-callback-retries": "0",
      "upstash-failure-callback-retry-delay": "2000",
    });
    await expect(client().dlq.resume("1-0", { label: "not a name" })).rejects.toThrow(TypeError);
  });

  it("calls failure functions again, or no more", async () => {
    const workflowRuns = [{ workflowRunId: "r", workflowCreatedAt: 1 }];
    recorder().answer = ({ path }) => ({
      body: path.includes("?") ? { workflowRuns, cursor: "c" } : { cancelled: 1 },
    });
    const { dlq } = client();
    const many = await dlq.retryFailureFunction({ filter: { label: "l" } });
    expect(many).toEqual({ workflowRuns, cursor: "c" });
    await dlq.retryFailureFunction(["1-0", "2-0"]);
    expect(await dlq.cancelFailureFunction({ dlqId: "1-0" })).toBeUndefined();
    expect(asked()).toEqual([
      "POST /v2/workflows/dlq/callback?label=l&count=100",
      "POST /v2/workflows/dlq/callback?dlqIds=1-0&dlqIds=2-0",
      "DELETE /v2/workflows/dlq/callback/1-0",
    ]);
    await expect(dlq.cancelFailureFunction({ dlqId: "" })).rejects.toThrow(TypeError);
  });

  it("calls a failure function again, and deletes", async () => {
    recorder().answer = ({ method }) => ({
      body: method === "POST" ? { workflowRunId: "r", workflowCreatedAt: 1 } : { deleted: 2 },
    });
    expect(await client().dlq.retryFailureFunction({ dlqId: "1-0" })).toEqual({
      workflowRunId: "r",
      workflowCreatedAt: 1,
    });
    expect(await client().dlq.delete(["1-0", "2-0"])).toEqual({ deleted: 2 });
    expect(await client().dlq.delete([])).toEqual({ deleted: 0 });
    expect(asked()).toEqual([
      "POST /v2/workflows/dlq/callback/1-0",
      "DELETE /v2/workflows/dlq?dlqIds=1-0&dlqIds=2-0",
    ]);
    await expect(client().dlq.retryFailureFunction({ dlqId: "" })).rejects.toThrow(TypeError);
  });
});

describe("schedules", () => {
  const url = "https://app.example.com/wf?x=1";

  it("carry the options of their runs to the endpoint, which starts each run with them", async () => {
    recorder().answer = ({ path }) =>
      path.startsWith("/v2/schedules") ? { body: { scheduleId: "scd_1" } } : undefined;
    const created = await client().schedules.create({
      url,
      cron: "CRON_TZ=Europe/Berlin 0 9 * * *",
      scheduleId: "daily",
      body: { a: 1 },
      headers: { "X-User": "u", "content-type": "text/json" },
      retries: 7,
      retryDelay: "5",
      label: "nightly",
      flowControl: { key: "k", parallelism: 1 },
      failureUrl: "https://app.example.com/failed",
      delay: 5,
    });
    expect(created).toEqual({ scheduleId: "scd_1" });
    const [sent] = recorder().requests;
    expect(sent).toMatchObject({
      method: "POST",
      path: `/v2/schedules/${url}`,
      body: '{"a":1}',
      headers: {
        "content-type": "text/json",
        "upstash-cron": "CRON_TZ=Europe/Berlin 0 9 * * *",
        "upstash-schedule-id": "daily",
        "upstash-delay": "5s",
        "upstash-forward-x-user": "u",
      },
    });

    const options = sent?.headers["upstash-forward-perdure-run-options"] ?? "";
    recorder().reset();
    const handler = closed(recorder(), () => expect.unreachable());
    const headers = { "Perdure-Run-Options": options, "X-User": "u", "Upstash-Message-Id": "msg_1" };
    await handler(await signed('{"a":1}', headers, { subject: url }, url));
    const [item] = recorder().published;
    expect(item?.headers).toMatchObject({
      "upstash-retries": "7",
      "upstash-failure-callback-retries": "7",
      "upstash-retry-delay": "5",
      "upstash-label": "nightly",
      "upstash-flow-control-value": "parallelism=1",
      "upstash-failure-callback": "https://app.example.com/failed",
      "upstash-forward-x-user": "u",
    });
    expect(Object.keys(item?.headers ?? {}).filter((name) => name.includes("perdure"))).toEqual([]);
  });

  it("are listed, got, paused, resumed and deleted", async () => {
    recorder().answer = ({ path }) => ({ body: path === "/v2/schedules" ? [] : {} });
    const { schedules } = client();
    expect(await schedules.list()).toEqual([]);
    await schedules.get("daily");
    await schedules.pause("daily");
    await schedules.resume("daily");
    await schedules.delete("daily");
    expect(asked()).toEqual([
      "GET /v2/schedules",
      "GET /v2/schedules/daily",
      "PATCH /v2/schedules/daily/pause",
      "PATCH /v2/schedules/daily/resume",
      "DELETE /v2/schedules/daily",
    ]);
  });

  it.each([
    { cron: "" },
    { cron: "* * * * *", label: "a b" },
    { cron: "* * * * *", retries: -1 },
    { cron: "* * * * *", url: "x" },
  ])("refuse %j", async (options) => {
    await expect(client().schedules.create({ url, ...options })).rejects.toThrow(TypeError);
    expect(asked()).toEqual([]);
  });

  it("whose options were tampered with start nothing", async () => {
    const handler = closed(recorder(), () => expect.unreachable());
    const response = await handler(await signed("{}", { "Perdure-Run-Options": "{" }));
    expect(response.status).toBe(400);
    expect(asked()).toEqual([]);
  });
});

describe("what the engine refuses", () => {
  it("is a WorkflowError, for every call", async () => {
    recorder().answer = () => ({ status: 403, body: { error: "read only" } });
    const calls: (() => Promise<unknown>)[] = [
      () => client().cancel("wfr_1"),
      () => client().notify({ eventId: "e" }),
      () => client().logs(),
      () => client().dlq.list(),
      () => client().schedules.list(),
    ];
    for (const call of calls) {
      await expect(call()).rejects.toMatchObject({
        code: "engine_refused",
        message: expect.stringContaining("read only"),
      });
    }
  });
});
