import { DEV_CREDENTIALS, HEADER } from "@perdure/core/protocol";
import { describe, expect, it } from "vitest";
import { failed, result, START, world } from "../harness.ts";

const later = { [HEADER.delay]: "1d" };
const PUBLISH = "/v2/publish/https://a.test/";

describe("messages", () => {
  it("can be looked at while they wait, and a short while after", async () => {
    const w = world();
    const { body } = await w.ask("POST", `${PUBLISH}x`, {
      headers: {
        ...later,
        [HEADER.retries]: "7",
        [HEADER.retryDelay]: "2000 * retried",
        [HEADER.label]: "a,b",
        "Upstash-Forward-Test-Header": "v",
        "Content-Type": "text/plain",
        [HEADER.failureCallback]: "https://a.test/f",
        "Upstash-Failure-Callback-Forward-My-Header": "w",
      },
      body: "hi",
    });
    const path = `/v2/messages/${body.messageId}`;
    expect((await w.ask("GET", path)).body).toEqual({
      messageId: body.messageId,
      url: "https://a.test/x",
      method: "POST",
      header: { "Test-Header": ["v"], "Content-Type": ["text/plain"] },
      body: "hi",
      maxRetries: 7,
      notBefore: START + 86_400_000,
      createdAt: START,
      callerIP: "127.0.0.1",
      callerIp: "127.0.0.1",
      retryDelayExpression: "2000 * retried",
      label: "a",
      labels: ["a", "b"],
      failureCallback: "https://a.test/f",
      failureCallbackHeader: { "My-Header": ["w"] },
    });
    await w.drain();
    expect((await w.ask("GET", path)).status).toBe(200);
    w.clock.advance(60_000);
    expect((await w.ask("GET", path)).status).toBe(404);
  });

  it("are shown with a period of one second where only a parallelism is given", async () => {
    const flow = { [HEADER.flowControlKey]: "k", [HEADER.flowControlValue]: "parallelism=2" };
    const w = world(() => failed(500, "x"));
    const { body } = await w.ask("POST", PUBLISH, { headers: { ...flow, [HEADER.retries]: "0" } });
    const cron = { [HEADER.cron]: "0 0 1 1 *" };
    const schedule = await w.ask("POST", "/v2/schedules/https://a.test/", { headers: { ...flow, ...cron } });
    const limits = { flowControlKey: "k", parallelism: 2, period: 1 };
    expect((await w.ask("GET", `/v2/messages/${body.messageId}`)).body).toMatchObject(limits);
    expect((await w.ask("GET", `/v2/schedules/${schedule.body.scheduleId}`)).body).toMatchObject(limits);
    await w.engine.idle();
    expect(await w.deadLetters()).toMatchObject([limits]);
    expect((await w.ask("GET", "/v2/logs")).body.logs[0]).toMatchObject(limits);
    expect((await w.deadLetters())[0]).not.toHaveProperty("rate");
  });

  it("can still be looked at right after they have failed, while their dead letter is there", async () => {
    const w = world(() => failed(500, "x"));
    const publish = () => w.ask("POST", PUBLISH, { headers: { "Upstash-Retries": "0" } });
    const [first, second] = [await publish(), await publish()];
    await w.engine.idle();
    const look = async ({ body }: typeof first) =>
      (await w.ask("GET", `/v2/messages/${body.messageId}`)).status;
    expect([await look(first), await look(second)]).toEqual([200, 200]);
    const [letter] = await w.deadLetters(`?messageId=${second.body.messageId}`);
    await w.ask("DELETE", `/v2/dlq/${letter.dlqId}`);
    expect(await look(second)).toBe(404);
    expect((await w.ask("DELETE", `/v2/messages/${first.body.messageId}`)).status).toBe(404);
    w.clock.advance(60_000);
    expect(await look(first)).toBe(404);
  });

  it("of a run tell which", async () => {
    const w = world();
    const { body } = await w.start("wfr_1", { ...later, "Upstash-Forward-X-A": "1" });
    expect((await w.ask("GET", `/v2/messages/${body[0].messageId}`)).body).toMatchObject({
      workflowRunId: "wfr_1",
      workflowCreatedAt: START,
      workflowUrl: "https://app.test/wf",
      body: '{"order":1}',
      header: { "X-A": ["1"] },
    });
  });

  it("can be taken back, once", async () => {
    const w = world();
    const { body } = await w.ask("POST", PUBLISH, { headers: later });
    const path = `/v2/messages/${body.messageId}`;
    expect(await w.ask("DELETE", path)).toMatchObject({ status: 200, body: { cancelled: 1 } });
    expect((await w.ask("DELETE", path)).status).toBe(404);
    expect((await w.ask("GET", path)).status).toBe(404);
    await w.drain();
    expect(w.calls).toEqual([]);
  });

  it("that were all of a run take the run with them", async () => {
    const w = world();
    const first = await w.start("wfr_1", later);
    const second = await w.append("wfr_1", [result(1)], later);
    await w.ask("DELETE", `/v2/messages/${first.body[0].messageId}`);
    expect((await w.run("wfr_1")).workflowState).toBe("RUN_STARTED");
    await w.ask("DELETE", `/v2/messages/${second.body[0].messageId}`);
    expect((await w.run("wfr_1")).workflowState).toBe("RUN_CANCELED");
    expect(w.events.at(-1)).toMatchObject({ type: "run.canceled", runId: "wfr_1" });
  });

  it("show hashes of what is to be redacted, and are delivered as they are", async () => {
    const w = world();
    const { body } = await w.ask("POST", PUBLISH, {
      headers: {
        ...later,
        "Upstash-Forward-X-Secret": "s",
        "Upstash-Forward-X-Open": "o",
        [HEADER.redactFields]: "body,header[x-secret]",
      },
      body: "hi",
    });
    expect((await w.ask("GET", `/v2/messages/${body.messageId}`)).body).toMatchObject({
      body: expect.stringMatching(/^REDACTED:[0-9a-f]{64}$/),
      header: { "X-Secret": [expect.stringMatching(/^REDACTED:[0-9a-f]{64}$/)], "X-Open": ["o"] },
    });
    await w.drain();
    expect(w.calls[0]?.text).toBe("hi");
    expect(w.calls[0]?.headers.get("x-secret")).toBe("s");
  });
});

it("GET /v2/keys gives the keys, by which development clients tell whose engine this is", async () => {
  expect((await world().ask("GET", "/v2/keys")).body).toEqual({
    current: DEV_CREDENTIALS.currentSigningKey,
    next: DEV_CREDENTIALS.nextSigningKey,
  });
});
