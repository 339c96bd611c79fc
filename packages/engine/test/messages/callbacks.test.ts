import { HEADER } from "@perdure/core/protocol";
import { describe, expect, it } from "vitest";
import {
  type Answer,
  type Call,
  decode,
  type Endpoint,
  forget,
  NOT_FOUND,
  START,
  type World,
  world,
} from "../harness.ts";

const URL = "https://a.test/work";
const CALLBACK = "https://a.test/callback";
const FAILURE = "https://a.test/failure";

/** Answers the work as told, one answer after the other, and everything else with 200. */
function answering(...statuses: number[]): Endpoint {
  return ({ url }) =>
    url === URL
      ? new Response("tried", { status: statuses.shift() ?? 200, headers: { "X-Answer": "a" } })
      : new Response();
}

function publish(w: World, headers: Record<string, string>, body = "work"): Promise<Answer> {
  return w.ask("POST", `/v2/publish/${URL}`, { headers, body });
}

function to(w: World, url: string): Call[] {
  return w.calls.filter((call) => call.url === url);
}

describe("Upstash-Callback", () => {
  it("reports an attempt that succeeded, with all that is known of it", async () => {
    const w = world(answering(201));
    const { body } = await publish(w, {
      [HEADER.callback]: CALLBACK,
      [HEADER.retries]: "2",
      [HEADER.method]: "PUT",
      [HEADER.contentType]: "text/plain",
      "Upstash-Forward-X-User": "u",
    });
    await w.drain();
    const [call] = to(w, CALLBACK);
    expect(call?.method).toBe("POST");
    expect(call?.headers.get("content-type")).toBe("application/json");
    expect(call?.headers.get(HEADER.messageId)).not.toBe(body.messageId);
    expect(call?.headers.has(HEADER.signature)).toBe(true);
    expect(JSON.parse(call?.text ?? "")).toEqual({
      status: 201,
      header: { "X-Answer": ["a"], "Content-Type": ["text/plain;charset=UTF-8"] },
      body: Buffer.from("tried").toString("base64"),
      retried: 0,
      maxRetries: 2,
      sourceMessageId: body.messageId,
      url: URL,
      method: "PUT",
      sourceHeader: { "X-User": ["u"], "Content-Type": ["text/plain"] },
      sourceBody: Buffer.from("work").toString("base64"),
      notBefore: START,
      createdAt: START,
      callerIP: "127.0.0.1",
    });
    expect(to(w, CALLBACK)).toHaveLength(1);
  });

  it("reports each attempt, until one succeeds", async () => {
    const w = world(answering(500, 429, 200));
    await publish(w, { [HEADER.callback]: CALLBACK, [HEADER.retryDelay]: "1000" });
    await w.drain();
    const reports = to(w, CALLBACK).map(({ text }) => JSON.parse(text));
    expect(reports).toMatchObject([
      { status: 500, retried: 0, maxRetries: 3 },
      { status: 429, retried: 1, maxRetries: 3 },
      { status: 200, retried: 2, maxRetries: 3 },
    ]);
  });

  it("reports each attempt, until none is left, and beside them the failure", async () => {
    const w = world(answering(500, 500));
    await publish(w, {
      [HEADER.callback]: CALLBACK,
      [HEADER.failureCallback]: FAILURE,
      [HEADER.retries]: "1",
      [HEADER.retryDelay]: "0",
    });
    await w.drain();
    expect(to(w, CALLBACK).map(({ text }) => JSON.parse(text).retried)).toEqual([0, 1]);
    const [failure] = to(w, FAILURE).map(({ text }) => JSON.parse(text));
    const [letter] = await w.deadLetters();
    expect(failure).toMatchObject({ status: 500, retried: 1, dlqId: letter.dlqId });
    expect(to(w, FAILURE)).toHaveLength(1);
  });

  it("says in words what went wrong where there was no answer", async () => {
    const w = world(({ url }) => (url === URL ? Promise.reject(new Error("unplugged")) : new Response()));
    await publish(w, { [HEADER.callback]: CALLBACK, [HEADER.retries]: "0" });
    await w.drain();
    const report = JSON.parse(to(w, CALLBACK)[0]?.text ?? "");
    expect(report).toMatchObject({ status: 0, header: {} });
    expect(decode(report.body)).toContain("unplugged");
  });

  it("stops with an answer that says that another attempt would not help", async () => {
    const w = world(({ url }) =>
      url === URL
        ? new Response("", { status: 489, headers: { [HEADER.nonRetryable]: "true" } })
        : new Response(),
    );
    await publish(w, { [HEADER.callback]: CALLBACK, [HEADER.failureCallback]: FAILURE });
    await w.drain();
    expect(to(w, URL)).toHaveLength(1);
    expect(to(w, CALLBACK)).toHaveLength(1);
    expect(to(w, FAILURE)).toHaveLength(1);
  });

  it("is a message like any other, with options of its own", async () => {
    const w = world(answering(200));
    await publish(w, {
      [HEADER.callback]: CALLBACK,
      "Upstash-Callback-Method": "PUT",
      "Upstash-Callback-Delay": "1h",
      "Upstash-Callback-Retries": "7",
      "Upstash-Callback-Retry-Delay": "5000",
      "Upstash-Callback-Label": "reports",
      "Upstash-Callback-Timeout": "30s",
      "Upstash-Callback-Forward-Authorization": "Bearer mine",
      "Upstash-Callback-Flow-Control-Key": "slow",
      "Upstash-Callback-Flow-Control-Value": "parallelism=1",
    });
    await w.engine.idle();
    expect(to(w, CALLBACK)).toEqual([]);
    w.clock.advance(3_600_000);
    await w.engine.idle();
    const [call] = to(w, CALLBACK);
    expect(call?.method).toBe("PUT");
    expect(call?.headers.get("authorization")).toBe("Bearer mine");
    const id = call?.headers.get(HEADER.messageId);
    expect((await w.ask("GET", `/v2/messages/${id}`)).body).toMatchObject({
      maxRetries: 7,
      retryDelayExpression: "5000",
      label: "reports",
      notBefore: START + 3_600_000,
      createdAt: START,
      flowControlKey: "slow",
      parallelism: 1,
    });
  });

  it("that fails is a dead letter of its own, and isn't reported itself unless that was asked for", async () => {
    const w = world(({ url }) => new Response("", { status: url === URL ? 200 : 503 }));
    await publish(w, { [HEADER.callback]: CALLBACK, [HEADER.retries]: "1", [HEADER.retryDelay]: "0" });
    await w.drain();
    // As often as the message itself would have been.
    expect(to(w, CALLBACK)).toHaveLength(2);
    expect(await w.deadLetters()).toMatchObject([{ url: CALLBACK, responseStatus: 503, maxRetries: 1 }]);
  });

  it("has reports of its own where that was asked for", async () => {
    const w = world(({ url }) => new Response("", { status: url === CALLBACK ? 503 : 200 }));
    await publish(w, {
      [HEADER.callback]: CALLBACK,
      "Upstash-Callback-Retries": "0",
      "Upstash-Callback-Callback": "https://a.test/second",
      "Upstash-Callback-Callback-Forward-X-Depth": "2",
      "Upstash-Callback-Failure-Callback": FAILURE,
      "Upstash-Callback-Failure-Callback-Forward-X-Of": "callback",
    });
    await w.drain();
    const id = to(w, CALLBACK)[0]?.headers.get(HEADER.messageId);
    const [second] = to(w, "https://a.test/second");
    expect(second?.headers.get("x-depth")).toBe("2");
    expect(JSON.parse(second?.text ?? "")).toMatchObject({ sourceMessageId: id, status: 503, url: CALLBACK });
    const [failure] = to(w, FAILURE);
    expect(failure?.headers.get("x-of")).toBe("callback");
    expect(JSON.parse(failure?.text ?? "")).toMatchObject({ sourceMessageId: id, dlqId: expect.any(String) });
  });

  it("doesn't show in views what the message hides", async () => {
    const w = world(answering(200));
    await publish(w, {
      [HEADER.callback]: CALLBACK,
      "Upstash-Callback-Delay": "1h",
      "Upstash-Forward-X-Secret": "s",
      [HEADER.redactFields]: "header[x-secret]",
    });
    await w.engine.idle();
    expect(await pending(w)).toMatchObject([{ body: expect.stringMatching(/^REDACTED:/) }]);
    await w.drain();
    expect(JSON.parse(to(w, CALLBACK)[0]?.text ?? "").sourceHeader).toMatchObject({ "X-Secret": ["s"] });
  });

  it("survives a crash between the attempt and its delivery", async () => {
    const w = world(answering(200));
    await publish(w, { [HEADER.callback]: CALLBACK, "Upstash-Callback-Delay": "1m" });
    await w.engine.idle();
    await w.engine.stop();
    w.engine.start();
    await w.drain();
    expect(to(w, URL)).toHaveLength(1);
    expect(to(w, CALLBACK)).toHaveLength(1);
  });

  it("belongs to no message of a run", async () => {
    const w = world();
    const answer = await w.start("wfr_1", { [HEADER.callback]: CALLBACK });
    expect(answer).toMatchObject({
      status: 400,
      body: { error: expect.stringContaining("Upstash-Callback") },
    });
    await w.start("wfr_2");
    const step = await w.append("wfr_2", [{ stepId: 1, stepName: "s", stepType: "Run", concurrent: 1 }], {
      [HEADER.deduplicationId]: "d",
    });
    expect(step).toMatchObject({ status: 400, body: { error: expect.stringContaining("Deduplication") } });
  });
});

describe("Upstash-Failure-Callback", () => {
  it("has a dead letter of its own, which the message's tells of too", async () => {
    const w = world(() => new Response("no", { status: 500 }));
    await publish(w, { [HEADER.failureCallback]: FAILURE, [HEADER.retries]: "0" });
    await w.drain();
    const letters = await w.deadLetters();
    expect(letters).toMatchObject([
      { url: FAILURE, responseBody: "no" },
      { url: URL, failureCallbackInfo: { state: "CALLBACK_FAIL", responseStatus: 500 } },
    ]);
    // Whichever goes first, the other one stays whole.
    await w.ask("DELETE", `/v2/dlq/${letters[0].dlqId}`);
    expect(await w.deadLetters()).toMatchObject([
      { url: URL, failureCallbackInfo: { state: "CALLBACK_FAIL" } },
    ]);
    await w.ask("DELETE", `/v2/dlq/${letters[1].dlqId}`);
    expect(await w.deadLetters()).toEqual([]);
  });

  it("stays a dead letter when that of the message is taken out", async () => {
    const w = world(() => new Response("no", { status: 500 }));
    await publish(w, { [HEADER.failureCallback]: FAILURE, [HEADER.retries]: "0" });
    await w.drain();
    const [report, message] = await w.deadLetters();
    await w.ask("DELETE", `/v2/dlq/${message.dlqId}`);
    expect(await w.deadLetters()).toEqual([report]);
  });

  it("is forgotten like any other message when nothing tells of it any more", async () => {
    const w = world(answering(500));
    await publish(w, {
      [HEADER.failureCallback]: FAILURE,
      "Upstash-Failure-Callback-Delay": "1h",
      [HEADER.retries]: "0",
    });
    await w.engine.idle();
    const [letter] = await w.deadLetters();
    await w.ask("DELETE", `/v2/dlq/${letter.dlqId}`);
    await w.drain();
    const id = to(w, FAILURE)[0]?.headers.get(HEADER.messageId) ?? "";
    await forget(w, w.clock.now() + 3_600_000);
    await expect(w.store.message(id, 0)).rejects.toMatchObject(NOT_FOUND);
  });

  it("of a run's failure function is made when that one can't be reached", async () => {
    const w = world(() => new Response("", { status: 500 }));
    await w.start("wfr_1", {
      [HEADER.retries]: "0",
      [HEADER.failureCallback]: "https://app.test/wf",
      "Upstash-Failure-Callback-Failure-Callback": FAILURE,
    });
    await w.drain();
    const [own, ofRun] = await w.deadLetters();
    expect(own).toMatchObject({ url: FAILURE });
    expect(JSON.parse(to(w, FAILURE)[0]?.text ?? "")).toMatchObject({ dlqId: ofRun.dlqId, status: 500 });
  });
});

async function pending(w: World): Promise<Answer["body"][]> {
  w.store.useClock(() => START + 7_200_000);
  const { claims } = await w.store.claim({ limit: 10, leaseUntil: START + 7_300_000 });
  const views = claims.map(({ message }) => w.ask("GET", `/v2/messages/${message.id}`));
  const answers = await Promise.all(views);
  w.store.useClock(() => START + 3_600_000);
  await w.store.release(claims.map(({ lease }) => lease));
  w.store.useClock(() => w.clock.now());
  return answers.map(({ body }) => body);
}
