import { HEADER } from "@perdure/core/protocol";
import { describe, expect, it } from "vitest";
import { type Answer, failed, isFailure, ok, START, type World, world } from "../harness.ts";

const ONCE = { [HEADER.retries]: "0" };

/** An endpoint that fails until it is mended. */
function fragile(): World & { mend(): void } {
  let broken = true;
  const w = world((call) => (broken && !isFailure(call) ? failed(500, "boom") : ok()));
  return Object.assign(w, {
    mend: () => {
      broken = false;
    },
  });
}

const publish = async (w: World, name: string, headers: Record<string, string> = {}, body = "hi") =>
  (await w.ask("POST", `/v2/publish/https://a.test/${name}`, { headers: { ...ONCE, ...headers }, body })).body
    .messageId as string;

const retry = (w: World, query = "", headers: Record<string, string> = {}): Promise<Answer> =>
  w.ask("POST", `/v2/dlq/retry${query}`, { headers });

describe("a dead letter", () => {
  it("shows the message and what became of it", async () => {
    const w = fragile();
    const messageId = await publish(w, "x", {
      "Content-Type": "text/plain",
      [HEADER.failureCallback]: "https://a.test/f",
      "Upstash-Failure-Callback-Retries": "1",
    });
    await w.engine.idle();
    const [letter] = (await w.ask("GET", "/v2/dlq?url=https://a.test/x")).body.messages;
    expect(letter).toEqual({
      dlqId: expect.stringMatching(/^\d+-\d+$/),
      messageId,
      url: "https://a.test/x",
      method: "POST",
      header: { "Content-Type": ["text/plain"] },
      body: "hi",
      maxRetries: 0,
      notBefore: START,
      createdAt: START,
      failedAt: START,
      callerIP: "127.0.0.1",
      callerIp: "127.0.0.1",
      error: "the endpoint answered 500",
      responseStatus: 500,
      responseHeader: expect.any(Object),
      responseBody: expect.stringContaining("boom"),
      failureCallback: "https://a.test/f",
      failureCallbackInfo: { state: "CALLBACK_INPROGRESS" },
    });
    await w.drain();
    expect((await w.ask("GET", `/v2/dlq/${letter.dlqId}`)).body.failureCallbackInfo).toEqual({
      state: "CALLBACK_FAIL",
      responseStatus: 500,
      responseBody: expect.stringContaining("boom"),
      responseHeaders: expect.any(Object),
    });
  });

  it("has a status also where there was no answer", async () => {
    const w = world(() => Promise.reject(new Error("no route")));
    await publish(w, "x");
    await w.engine.idle();
    expect(await w.deadLetters("?responseStatus=0")).toMatchObject([
      { responseStatus: 0, error: "no route" },
    ]);
  });

  it("survives that its report is taken back and forgotten", async () => {
    const w = fragile();
    await publish(w, "x", {
      [HEADER.failureCallback]: "https://a.test/f",
      "Upstash-Failure-Callback-Delay": "1h",
    });
    await w.engine.idle();
    const [{ messageId }] = (await w.ask("GET", "/v2/logs?url=https://a.test/f")).body.logs;
    expect((await w.ask("DELETE", `/v2/messages/${messageId}`)).status).toBe(200);
    w.clock.advance(86_400_000);
    await w.ask("GET", "/v2/dlq");
    await w.engine.idle();
    expect(await w.deadLetters()).toMatchObject([{ failureCallbackInfo: { state: "CALLBACK_CANCELED" } }]);
  });

  it("comes in both orders", async () => {
    const w = fragile();
    const ids: string[] = [];
    for (const body of ["1", "2"]) {
      ids.push(await publish(w, body));
      // Of two that fail at once, either may be the first.
      await w.engine.idle();
    }
    const order = async (query: string) => (await w.deadLetters(query)).map(({ messageId }) => messageId);
    expect(await order("")).toEqual([...ids].reverse());
    expect(await order("?order=latestFirst")).toEqual([...ids].reverse());
    expect(await order("?order=earliestFirst")).toEqual(ids);
  });
});

describe("retrying a dead letter", () => {
  it("makes a new message of it, and takes it out of the queue", async () => {
    const w = fragile();
    const messageId = await publish(w, "x", { "Upstash-Forward-X-A": "1", "Content-Type": "text/plain" });
    await w.engine.idle();
    const [{ dlqId }] = await w.deadLetters();
    w.mend();
    w.clock.advance(5000);
    const { status, body } = await w.ask("POST", `/v2/dlq/retry/${dlqId}`);
    expect({ status, body }).toEqual({ status: 201, body: { messageId: expect.stringMatching(/^msg_/) } });
    expect(body.messageId).not.toBe(messageId);
    await w.engine.idle();
    expect(w.calls).toHaveLength(2);
    const again = w.calls[1];
    expect(again).toMatchObject({ url: "https://a.test/x", method: "POST", text: "hi" });
    expect(again?.headers.get("x-a")).toBe("1");
    expect(again?.headers.get("content-type")).toBe("text/plain");
    expect(again?.headers.get(HEADER.messageId)).toBe(body.messageId);
    expect(again?.headers.get(HEADER.retried)).toBe("0");
    expect(await w.deadLetters()).toEqual([]);
    for (const [method, path] of [
      ["GET", `/v2/dlq/${dlqId}`],
      ["DELETE", `/v2/dlq/${dlqId}`],
      ["POST", `/v2/dlq/retry/${dlqId}`],
    ] as const) {
      const answer = await w.ask(method, path);
      expect(answer).toMatchObject({ status: 404, body: { error: expect.stringContaining(dlqId) } });
    }
    const { logs } = (await w.ask("GET", `/v2/logs?messageIds=${messageId},${body.messageId}`)).body;
    expect(logs.map(({ state }: { state: string }) => state)).toEqual([
      "DELIVERED",
      "ACTIVE",
      "CREATED",
      "FAILED",
      "ERROR",
      "ACTIVE",
      "CREATED",
    ]);
  });

  it("takes what is to be different from headers", async () => {
    const w = fragile();
    await publish(w, "x", {
      "Upstash-Forward-X-A": "1",
      "Upstash-Forward-X-B": "2",
      "Content-Type": "text/plain",
      [HEADER.label]: "old",
    });
    await w.engine.idle();
    const { body } = await retry(w, "", {
      [HEADER.method]: "PUT",
      [HEADER.retries]: "5",
      [HEADER.retryDelay]: "1000",
      [HEADER.delay]: "1h",
      [HEADER.timeout]: "5s",
      [HEADER.label]: "new",
      [HEADER.flowControlKey]: "key",
      [HEADER.flowControlValue]: "parallelism=2",
      [HEADER.failureCallback]: "https://a.test/f",
      [HEADER.redactFields]: "header[x-b]",
      "Upstash-Forward-X-A": "changed",
      // The request's own: what is sent has a type already.
      "Content-Type": "application/x-www-form-urlencoded",
    });
    expect(body).toEqual({ cursor: "", responses: [{ messageId: expect.stringMatching(/^msg_/) }] });
    expect((await w.ask("GET", `/v2/messages/${body.responses[0].messageId}`)).body).toMatchObject({
      method: "PUT",
      body: "hi",
      header: {
        "X-A": ["changed"],
        "X-B": [expect.stringMatching(/^REDACTED:/)],
        "Content-Type": ["text/plain"],
      },
      maxRetries: 5,
      retryDelayExpression: "1000",
      notBefore: START + 3_600_000,
      labels: ["new"],
      flowControlKey: "key",
      parallelism: 2,
      failureCallback: "https://a.test/f",
    });
  });

  it("refuses options that can't be, and leaves everything as it is", async () => {
    const w = fragile();
    await publish(w, "x");
    await publish(w, "y", { [HEADER.failureCallback]: "https://a.test/f" });
    await w.engine.idle();
    for (const [headers, status] of [
      [{ [HEADER.retries]: "many" }, 400],
      [{ [HEADER.retries]: "1000" }, 412],
      [{ [HEADER.delay]: "soon" }, 400],
      [{ "Upstash-Failure-Callback-Retries": "x" }, 400],
      [{ "Upstash-Callback-Retries": "x" }, 400],
      [{ [HEADER.deduplicationId]: "d" }, 400],
      [{ [HEADER.contentBasedDeduplication]: "true" }, 400],
    ] as const) {
      const answer = await retry(w, "", headers);
      expect(answer).toMatchObject({ status, body: { error: expect.stringContaining("Upstash-") } });
    }
    // The report of a failure that fails is one too.
    expect(await w.deadLetters()).toHaveLength(3);
    expect(w.calls.filter(({ url }) => !url.endsWith("/f"))).toHaveLength(2);
  });

  it("is for many: by ids, by filters, all of them, so many at once", async () => {
    const w = fragile();
    for (const name of ["1", "2", "3", "4", "5"]) await publish(w, name, { [HEADER.label]: `l${name}` });
    await w.engine.idle();
    const all = await w.deadLetters();
    const idOf = (name: string) => all.find(({ url }) => url.endsWith(name)).dlqId;
    w.mend();
    const retried = async (query: string) => (await retry(w, query)).body.responses.length;
    expect(await retried("?label=none")).toBe(0);
    expect(await retried("?dlqIds=none")).toBe(0);
    expect(await retried(`?dlqIds=${idOf("1")}&dlqIds=${idOf("2")}&label=none`)).toBe(2);
    expect(await retried("?label=l3")).toBe(1);
    const first = (await retry(w, "?count=1")).body;
    expect(first).toEqual({ cursor: expect.stringMatching(/./), responses: [expect.any(Object)] });
    expect(await retry(w, `?count=1&cursor=${first.cursor}`)).toMatchObject({ body: { cursor: "" } });
    expect(await w.deadLetters()).toEqual([]);
    await w.engine.idle();
    expect(
      w.calls
        .slice(5)
        .map(({ url }) => url.at(-1))
        .sort(),
    ).toEqual(["1", "2", "3", "4", "5"]);
  });

  it("leaves a run's alone", async () => {
    const w = fragile();
    await w.start("wfr_1", ONCE);
    await w.engine.idle();
    const [{ dlqId }] = await w.deadLetters();
    expect((await retry(w)).body.responses).toEqual([]);
    expect((await w.ask("POST", `/v2/dlq/retry/${dlqId}`)).status).toBe(404);
    expect(await w.deadLetters()).toHaveLength(1);
  });

  it("gives one that fails again an entry of its own", async () => {
    const w = fragile();
    await publish(w, "x");
    await w.engine.idle();
    const [before] = await w.deadLetters();
    await retry(w);
    await w.engine.idle();
    const after = await w.deadLetters();
    expect(after).toHaveLength(1);
    expect(after[0].dlqId).not.toBe(before.dlqId);
    expect(after[0].messageId).not.toBe(before.messageId);
  });

  it("that is a report of another one tells that one what becomes of it", async () => {
    let deaf = true;
    let open: (() => void) | undefined;
    const gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    const w = world(async ({ url }) => {
      if (url.endsWith("x") || deaf) return failed(500, "boom");
      await gate;
      return ok("heard");
    });
    await publish(w, "x", { [HEADER.failureCallback]: "https://a.test/f" });
    await w.engine.idle();
    const stateOf = async () => (await w.deadLetters("?url=https://a.test/x"))[0].failureCallbackInfo;
    expect(await stateOf()).toMatchObject({ state: "CALLBACK_FAIL", responseStatus: 500 });
    deaf = false;
    expect((await retry(w, "?url=https://a.test/f")).body.responses).toHaveLength(1);
    expect(await stateOf()).toEqual({ state: "CALLBACK_INPROGRESS" });
    open?.();
    await w.engine.idle();
    expect(await stateOf()).toMatchObject({ state: "CALLBACK_SUCCESS", responseBody: "heard" });
    expect((await retry(w)).body.responses).toHaveLength(1);
  });
});
