import { HEADER } from "@perdure/core/protocol";
import { describe, expect, it } from "vitest";
import {
  APP,
  decode,
  type Endpoint,
  failed,
  historyOf,
  isFailure,
  ofRun,
  ok,
  runIdOf,
  START,
  sequence,
  world,
} from "../harness.ts";

const TRIGGER = `/v2/trigger/${APP}`;

/** What an SDK does with a run that it is told of: it configures it, and goes on from there. */
const configuring =
  (inner: Endpoint, headers: Record<string, string> = {}): Endpoint =>
  async (call, self) => {
    if (!call.headers.has(HEADER.unknownSdk)) return inner(call, self);
    const payload = decode(historyOf(call)[0]?.body ?? "");
    const answer = await self.start(runIdOf(call), { [HEADER.triggerBySdk]: "true", ...headers }, payload);
    return answer.status === 200 ? ok() : failed(500, answer.body.error);
  };

describe("POST /v2/trigger", () => {
  it("announces a run, and delivers it again once the endpoint has configured it", async () => {
    const w = world(configuring(sequence(1), { "Upstash-Forward-X-Sdk": "1" }));
    const answer = await w.ask("POST", TRIGGER, {
      headers: { "Upstash-Forward-X-Tenant": "acme" },
      body: "hi",
    });
    expect(answer).toMatchObject({
      status: 200,
      body: { workflowRunId: expect.stringMatching(/^wfr_/), workflowCreatedAt: START },
    });
    await w.engine.idle();
    expect(w.calls.map((call) => call.headers.get(HEADER.unknownSdk))).toEqual(["true", null, null]);
    expect(w.calls.map((call) => call.headers.get(HEADER.sdkVersion))).toEqual([null, "1", "1"]);
    expect(w.calls.map((call) => call.headers.get("x-tenant"))).toEqual(["acme", "acme", "acme"]);
    expect(w.calls[1]?.headers.get("x-sdk")).toBe("1");
    expect(historyOf(w.calls[1] as never)).toEqual([
      {
        messageId: w.calls[1]?.headers.get(HEADER.messageId),
        body: Buffer.from("hi").toString("base64"),
        callType: "step",
      },
    ]);
    expect((await w.run(answer.body.workflowRunId)).workflowState).toBe("RUN_SUCCESS");
  });

  it("keeps what the trigger asked for where the endpoint says nothing of it", async () => {
    const w = world(configuring((call) => (isFailure(call) ? ok() : failed(500, "boom"))));
    await w.ask("POST", TRIGGER, {
      headers: {
        [HEADER.runId]: "wfr_mine",
        [HEADER.retries]: "1",
        [HEADER.retryDelay]: "7",
        [HEADER.label]: "l",
      },
    });
    await w.drain();
    expect(w.calls.map((call) => call.at - START)).toEqual([0, 0, 7, 7]);
    expect(await w.run("wfr_mine")).toMatchObject({ workflowState: "RUN_FAILED", labels: ["l"] });
  });

  it("reports a failure to the workflow itself unless told otherwise", async () => {
    const w = world(configuring((call) => (isFailure(call) ? ok() : failed(500, "boom"))));
    const headers = { [HEADER.retries]: "0", "Upstash-Failure-Callback-Forward-X-Own": "1" };
    await w.ask("POST", TRIGGER, { headers });
    await w.engine.idle();
    expect(w.calls.at(-1)?.url).toBe(APP);
    expect(isFailure(w.calls.at(-1) as never)).toBe(true);
    expect(w.calls.at(-1)?.headers.get("x-own")).toBe("1");
  });

  it("fails a run that the endpoint never configures", async () => {
    const w = world(() => ok());
    await w.ask("POST", TRIGGER, { headers: { [HEADER.runId]: "wfr_1" } });
    await w.engine.idle();
    const { steps } = await w.run("wfr_1");
    expect(steps.at(-1).steps[0].errors[0].error).toContain("only usable with sdk versions after v1.0.0");
  });

  it("fails a run whose endpoint is no workflow", async () => {
    const w = world(() => new Response("hi"));
    await w.ask("POST", TRIGGER, { headers: { [HEADER.runId]: "wfr_1" } });
    await w.engine.idle();
    expect((await w.deadLetters())[0].error).toContain("non-workflow destination");
  });

  it("tries again when the endpoint fails before it could configure the run", async () => {
    let first = true;
    const good = configuring(sequence(0));
    const w = world((call, self) => {
      const answer = first ? failed(500, "warming up") : good(call, self);
      first = false;
      return answer;
    });
    await w.ask("POST", TRIGGER, { headers: { [HEADER.runId]: "wfr_1" } });
    await w.drain();
    expect(w.calls.map((call) => call.at - START)).toEqual([0, 12_000, 12_000]);
    expect((await w.run("wfr_1")).workflowState).toBe("RUN_SUCCESS");
  });

  it("takes a second configuration for what it is: a repetition", async () => {
    const good = sequence(1);
    const w = world(async (call, self) => {
      if (!call.headers.has(HEADER.unknownSdk)) return good(call, self);
      const headers = { [HEADER.triggerBySdk]: "true" };
      const first = await self.start(runIdOf(call), headers);
      const second = await self.start(runIdOf(call), headers);
      expect(second.body[0]).toEqual({ ...first.body[0], deduplicated: true });
      // The answer gets lost: the announcement has been withdrawn, and isn't made again.
      return failed(500, "lost");
    });
    await w.ask("POST", TRIGGER, { headers: { [HEADER.runId]: "wfr_1" } });
    await w.drain();
    expect(w.calls).toHaveLength(3);
    expect((await w.run("wfr_1")).workflowState).toBe("RUN_SUCCESS");
  });

  it("doesn't bring back a run that was cancelled in the meantime", async () => {
    const w = world();
    const configure = (): ReturnType<typeof w.ask> =>
      w.ask("POST", `/v2/publish/${APP}`, {
        headers: { ...ofRun("wfr_1", "true"), [HEADER.triggerBySdk]: "true" },
      });
    expect((await configure()).status).toBe(400);
    await w.ask("POST", TRIGGER, { headers: { [HEADER.runId]: "wfr_1", [HEADER.delay]: "1d" } });
    await w.ask("DELETE", "/v2/workflows/runs/wfr_1");
    expect((await configure()).body.error).toContain("has ended (RUN_CANCELED)");
  });

  it("with the id of a live run changes nothing", async () => {
    const w = world();
    const first = await w.ask("POST", TRIGGER, {
      headers: { [HEADER.runId]: "wfr_1", [HEADER.delay]: "1d" },
    });
    const again = await w.ask("POST", TRIGGER, { headers: { [HEADER.runId]: "wfr_1" } });
    expect(again.body).toEqual({ ...first.body, deduplicated: true });
  });
});
