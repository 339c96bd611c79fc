import { HEADER } from "@perdure/core/protocol";
import { describe, expect, it } from "vitest";
import {
  APP,
  decode,
  type Endpoint,
  failed,
  historyOf,
  isFailure,
  ok,
  runIdOf,
  START,
  until,
  type World,
  world,
} from "../harness.ts";
import {
  answered,
  app,
  type CallOptions,
  callStep,
  isAnswer,
  recordsOf,
  runStep,
  THIRD,
  to,
  workflow,
} from "../steps.ts";

const third =
  (status = 200, body = "fine", headers: Record<string, string> = {}) =>
  () =>
    new Response(body, { status, headers: { "Content-Type": "text/plain", ...headers } });

const calling = (answer: () => Response | Promise<Response>, call: CallOptions = {}): Endpoint =>
  app({ [APP]: workflow(callStep(call), runStep), [THIRD]: answer });

const outOf = (w: World): { status: number; body: string; header: object } => {
  const record = recordsOf(to(w, APP).at(-1) as never)[0];
  return JSON.parse(record?.out ?? "{}");
};

describe("a call", () => {
  it("of a run whose payload and headers are redacted shows hashes of its own, too", async () => {
    const w = world(calling(third(), { method: "POST", body: "secret", headers: { "X-Key": "secret" } }));
    await w.start("wfr_1", { [HEADER.redactFields]: "body,header" });
    await w.drain();
    expect(to(w, THIRD)).toMatchObject([{ text: "secret" }]);
    const { logs } = (await w.ask("GET", `/v2/logs?url=${THIRD}`)).body;
    const hash = expect.stringMatching(/^REDACTED:/);
    expect(logs).toHaveLength(3);
    for (const entry of logs) expect(entry).toMatchObject({ body: hash, header: { "X-Key": [hash] } });
  });

  it("reaches the third party as it was asked for, and its answer the workflow", async () => {
    const headers = { "X-Key": "k", "User-Agent": "mine/1", Authorization: "Bearer z" };
    const w = world(calling(third(201), { method: "PUT", body: "raw <&>", headers }));
    await w.start("wfr_1", { "Upstash-Forward-X-User": "u" });
    await w.drain();
    const [call] = to(w, THIRD);
    expect(call).toMatchObject({ method: "PUT", text: "raw <&>" });
    const sent = Object.fromEntries(call?.headers ?? []);
    expect(Object.keys(sent).sort()).toEqual([
      "authorization",
      "content-type",
      "upstash-message-id",
      "upstash-retried",
      "upstash-signature",
      "user-agent",
      "x-key",
    ]);
    expect(sent).toMatchObject({ "user-agent": "mine/1", "x-key": "k", "content-type": "application/json" });
    expect(outOf(w)).toMatchObject({ status: 201, body: "fine", header: { "Content-Type": ["text/plain"] } });
    expect((await w.run("wfr_1")).workflowState).toBe("RUN_SUCCESS");
    expect(to(w, APP).map((one) => (isAnswer(one) ? "answer" : historyOf(one).length))).toEqual([
      1,
      "answer",
      4,
      5,
    ]);
  });

  it("brings its answer with the run's headers, and nothing by which it could be taken for a step", async () => {
    const w = world(calling(third()));
    await w.start("wfr_1", { "Upstash-Forward-X-User": "u", [HEADER.label]: "l" });
    await w.drain();
    const answer = w.calls.find(isAnswer);
    const headers = Object.fromEntries(answer?.headers ?? []);
    expect(headers).toMatchObject({
      "x-user": "u",
      "content-type": "application/json",
      [HEADER.runId.toLowerCase()]: "wfr_1",
      [HEADER.callType.toLowerCase()]: "fromCallback",
      [HEADER.stepId.toLowerCase()]: "1",
      [HEADER.init.toLowerCase()]: "false",
    });
    expect(headers).not.toHaveProperty(HEADER.sdkVersion.toLowerCase());
    expect(JSON.parse(answer?.text ?? "")).toMatchObject({
      status: 200,
      body: Buffer.from("fine").toString("base64"),
      retried: 0,
      maxRetries: 0,
      sourceMessageId: to(w, THIRD)[0]?.headers.get(HEADER.messageId),
      url: THIRD,
      method: "GET",
      workflowRunId: "wfr_1",
      workflowCreatedAt: START,
    });
  });

  it.each([
    ["that fails for good", third(500, "no"), { status: 500, body: "no" }, 3],
    ["that says no retry helps", third(489, "never", { [HEADER.nonRetryable]: "true" }), { status: 489 }, 1],
    [
      "that asks to be left alone for a while",
      third(429, "later", { "Retry-After": "7" }),
      { status: 429 },
      3,
    ],
  ])("of a third party %s is one answer, the last", async (_, answer, out, attempts) => {
    const w = world(calling(answer, { options: { [HEADER.retries]: "2", [HEADER.retryDelay]: "1000" } }));
    await w.start("wfr_1");
    await w.drain();
    expect(to(w, THIRD)).toHaveLength(attempts);
    expect(w.calls.filter(isAnswer)).toHaveLength(1);
    expect(JSON.parse(w.calls.find(isAnswer)?.text ?? "")).toMatchObject({ retried: 2, maxRetries: 2 });
    expect(outOf(w)).toMatchObject(out);
    expect((await w.run("wfr_1")).workflowState).toBe("RUN_SUCCESS");
    expect(await w.deadLetters()).toEqual([]);
  });

  it("isn't tried again unless that was asked for, whatever the run's own retries", async () => {
    const w = world(calling(third(500)));
    await w.start("wfr_1", { [HEADER.retries]: "5" });
    await w.drain();
    expect(to(w, THIRD)).toHaveLength(1);
  });

  it("without an answer has the status 0 and says why", async () => {
    const w = world(calling(() => Promise.reject(new TypeError("connection refused"))));
    await w.start("wfr_1");
    await w.drain();
    expect(outOf(w)).toEqual({ status: 0, body: "connection refused", header: {} });
  });

  it("has its own time limit", async () => {
    const w = world(calling(() => new Promise(() => {}), { options: { [HEADER.timeout]: "30" } }));
    await w.start("wfr_1");
    await until(() => to(w, THIRD).length === 1);
    w.clock.advance(30_000);
    await w.drain();
    expect(outOf(w)).toMatchObject({ status: 0, body: "no answer within 30 s" });
    expect(w.calls.find(isAnswer)?.at).toBe(START + 30_000);
  });

  it("keeps an answer that is larger than those of endpoints, and none above its own limit", async () => {
    const limits = { responseBytes: 10, callBytes: 1000 };
    const whole = world(calling(third(200, "x".repeat(1000))), { limits });
    await whole.start("wfr_1");
    await whole.drain();
    expect(outOf(whole).body).toHaveLength(1000);
    const half = world(calling(third(200, "x".repeat(1001))), { limits });
    await half.start("wfr_1");
    await half.drain();
    expect(outOf(half)).toMatchObject({
      status: 0,
      body: "the answer is larger than the 1000 bytes that are kept",
    });
  });

  it("leaves an answer above the history's limit to be fetched", async () => {
    const big = "x".repeat(2000);
    const w = world(
      app({
        [THIRD]: third(200, big),
        [APP]: async (call, self) => {
          const runId = runIdOf(call);
          if (call.text === "" && isAnswer(call)) {
            const { body } = await self.ask("GET", `/v2/workflows/runs/${runId}`);
            const id = call.headers.get(HEADER.messageId);
            const entry = body.find((one: { messageId: string }) => one.messageId === id);
            expect(entry.callType).toBe("fromCallback");
            await self.append(runId, [answered({ ...call, text: decode(entry.body) })]);
          } else if (call.text === "") await self.end(runId);
          else await callStep()({ id: 1, runId, call, self });
          return ok();
        },
      }),
      { limits: { historyBytes: 1000 } },
    );
    await w.start("wfr_1");
    await w.drain();
    const run = await w.run("wfr_1");
    expect(run.workflowState).toBe("RUN_SUCCESS");
    expect(run.steps[1].steps[0].callResponseBody).toBe(big);
  });

  it("that is asked for again, before and after its answer, is made once", async () => {
    const again = callStep();
    let visits = 0;
    const w = world(
      app({
        [THIRD]: third(),
        [APP]: async (call, self) => {
          if (!isAnswer(call) && recordsOf(call).length === 0 && ++visits < 3) {
            await again({ id: 1, runId: runIdOf(call), call, self });
            return failed(500, "lost");
          }
          return workflow(callStep())(call, self);
        },
      }),
    );
    await w.start("wfr_1", { [HEADER.retryDelay]: "1000" });
    await w.drain();
    expect(to(w, THIRD)).toHaveLength(1);
    expect((await w.run("wfr_1")).workflowState).toBe("RUN_SUCCESS");
  });

  it("whose answer the workflow doesn't take fails the run like a step, with its retries", async () => {
    const good = workflow(callStep());
    const w = world(
      app({
        [THIRD]: third(),
        [APP]: (call, self) => (isAnswer(call) ? failed(500, "can't") : good(call, self)),
      }),
    );
    await w.start("wfr_1", { [HEADER.retries]: "1", [HEADER.retryDelay]: "1000" });
    await w.drain();
    expect(w.calls.filter(isAnswer).map((call) => call.headers.get(HEADER.retried))).toEqual(["0", "1"]);
    expect((await w.run("wfr_1")).workflowState).toBe("RUN_FAILED");
    expect(w.calls.filter(isFailure)).toHaveLength(1);
    expect(await w.deadLetters()).toHaveLength(1);
  });

  it("of a run that has ended is refused, and what it was about to bring is dropped", async () => {
    let answer = (_: Response): void => {};
    const w = world(calling(() => new Promise<Response>((resolve) => (answer = resolve))));
    await w.start("wfr_1");
    await expect.poll(() => to(w, THIRD).length).toBe(1);
    await w.ask("DELETE", "/v2/workflows/runs/wfr_1?cancel=true");
    answer(third()());
    await w.drain();
    expect(w.calls.filter(isAnswer)).toEqual([]);
    const refused = await callStep()({ id: 2, runId: "wfr_1", call: w.calls[0] as never, self: w });
    expect(refused).toMatchObject({ status: 400, body: { error: expect.stringContaining("RUN_CANCELED") } });
  });

  it("of a run that has ended is given up, and not waited for", async () => {
    const w = world(calling(() => new Promise(() => {})));
    await w.start("wfr_1");
    await until(() => to(w, THIRD).length === 1);
    await w.ask("DELETE", "/v2/workflows/runs/wfr_1?cancel=true");
    w.clock.advance(10_000);
    await w.engine.idle();
    expect(w.clock.now()).toBe(START + 10_000);
  });
});
