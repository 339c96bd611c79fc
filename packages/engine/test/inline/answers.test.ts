import { HEADER } from "@perdure/core/protocol";
import { describe, expect, it } from "vitest";
import { APP, ofRun, SDK, type World, world } from "../harness.ts";
import { callMessage, invokeMessage } from "./asks.ts";
import { asksFor, CAPABILITIES, done, type Invocation, inline, key, sleeps } from "./invocation.ts";

const DAY = 86_400_000;

describe("an answer that takes the lease and doesn't tell how the invocation ended", () => {
  it.each<[string, string, string]>([
    ["is empty", "", "text/plain"],
    ["is cut", '{"perdure":{"after":1', "application/json"],
    ["is another body", '{"workflowRunId":"wfr_1"}', "application/json"],
    ["is a page", "<h1>Maintenance</h1>", "text/html"],
  ])("is a failed attempt when it %s", async (_name, body, type) => {
    const cut = ({ lease }: Invocation): Response =>
      new Response(body, {
        headers: { ...SDK, ...CAPABILITIES, [HEADER.lease]: lease, "content-type": type },
      });
    const w = world(inline((run) => (run.nth < 3 ? cut(run) : run.returned("fine", done(1)))));
    await w.start("wfr_1");
    await w.drain();
    expect(await w.run("wfr_1")).toMatchObject({
      workflowState: "RUN_SUCCESS",
      workflowRunResponse: '"fine"',
    });
    expect(w.events).toContainEqual(
      expect.objectContaining({ type: "retrying", error: "the answer (status 200) was cut short" }),
    );
  });
});

describe("a successful answer of Perdure's runtime without the lease", () => {
  it.each<[string, string]>([
    ["is empty", ""],
    ["is cut", '{"workflowRunId":"wf'],
  ])("was not heard when it %s", async (_name, body) => {
    const half = (): Response =>
      new Response(body, { headers: { ...SDK, ...CAPABILITIES, "content-type": "application/json" } });
    const w = world(inline((run) => (run.nth < 3 ? half() : run.returned("fine", done(1)))));
    await w.start("wfr_1");
    await w.drain();
    expect((await w.run("wfr_1")).workflowState).toBe("RUN_SUCCESS");
  });

  it.each<[string, string]>([
    ["is empty", ""],
    ["is cut", '{"result":"han'],
  ])("to a failure's report was not heard when it %s", async (_name, body) => {
    let reports = 0;
    const w = world(
      inline(
        (run) => run.failed(key("charge"), { status: 489 }),
        () => new Response(++reports < 3 ? body : '{"result":1}', { headers: SDK }),
      ),
    );
    await w.start("wfr_1");
    await w.drain();
    const [dead] = await w.deadLetters();
    expect(dead.failureCallbackInfo).toMatchObject({ state: "CALLBACK_SUCCESS" });
    expect(reports).toBe(3);
  });
});

describe("an answer with a record that the engine refuses", () => {
  const report = (w: World) => JSON.parse(w.calls.at(-1)?.text ?? "{}");

  it.each<[string, (run: Invocation) => ReturnType<typeof sleeps>, string]>([
    [
      "a call with too many retries",
      ({ runId }) => asksFor(2, "Call", callMessage(runId, 2, { retries: 5000 })),
      "Upstash-Retries must be at most 999; got 5000",
    ],
    [
      "a run whose id is taken",
      ({ runId }) => asksFor(2, "Invoke", invokeMessage(runId, 2, "wfr_taken")),
      "workflow run wfr_taken is live already",
    ],
    ["a sleep above the limit", ({ self }) => sleeps(2, self.clock.now() + 2 * DAY), "limits.delay"],
  ])("fails that step, and keeps what comes before it: %s", async (_name, refused, reason) => {
    const w = world(
      inline((run) => run.park(done(1, { rollback: true }), refused(run))),
      { limits: { delay: DAY } },
    );
    await w.ask("POST", `/v2/publish/${APP}`, {
      headers: { ...ofRun("wfr_taken", "true"), [HEADER.delay]: "1h" },
    });
    await w.start("wfr_1");
    await w.drain(w.clock.now() + 60_000);
    const { status, body, perdure } = report(w);
    expect(status).toBe(489);
    expect(JSON.parse(Buffer.from(body, "base64").toString())).toMatchObject({
      where: "step",
      step: { id: 2, name: "step2" },
      message: expect.stringContaining(reason),
    });
    // The payload, the result, and the attempt of the step that failed.
    expect(perdure.history.map(({ callType }: { callType: string }) => callType)).toEqual([
      "step",
      "step",
      "attempt",
    ]);
    expect(w.calls.filter(({ headers }) => headers.has(HEADER.lease))).toHaveLength(1);
  });
});

it("records in the answer of a failed invocation are in the history, and shown by it alone", async () => {
  const step = key("step1");
  const w = world(
    inline((run) => run.failed(step, run.nth === 1 ? { records: [done(2, { out: '"secret"' })] } : {})),
  );
  const redacted = { [HEADER.retries]: "1", [HEADER.redactFields]: "body" };
  await w.start("wfr_plain", { [HEADER.retries]: "1" });
  await w.start("wfr_redacted", redacted);
  await w.drain();
  const answer = { error: "Error", message: "boom", where: "step", step: { id: 99, ...step } };
  for (const { responseBody } of await w.deadLetters()) expect(JSON.parse(responseBody)).toEqual(answer);
  const ofRun = "workflowRunId=wfr_redacted";
  for (const path of [
    `/v2/workflows/logs?${ofRun}`,
    `/v2/dlq?${ofRun}`,
    "/v2/workflows/runs/wfr_redacted/overview",
    "/v2/workflows/runs/wfr_redacted/steps",
  ]) {
    const { status, body } = await w.ask("GET", path);
    expect(status).toBe(200);
    expect(JSON.stringify(body)).toContain("boom");
    expect(JSON.stringify(body)).not.toContain("secret");
  }
  const plain = await w.run("wfr_plain");
  expect(JSON.stringify(plain)).toContain("secret");
});
