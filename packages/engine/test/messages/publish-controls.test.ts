import { HEADER } from "@perdure/core/protocol";
import { describe, expect, it } from "vitest";
import { type Answer, START, type World, world } from "../harness.ts";

const MINUTE = 60_000;
const CALLBACK = "https://a.test/callback";

function group(w: World, ...urls: string[]): Promise<Answer> {
  const endpoints = urls.map((url) => ({ url }));
  return w.ask("POST", "/v2/topics/g/endpoints", { body: JSON.stringify({ endpoints }) });
}

describe("a queue", () => {
  it("waits for the callbacks of a message before the next one has its turn", async () => {
    const w = world(({ url }) => new Response("", { status: url.endsWith("/1") ? 500 : 200 }));
    for (const path of ["1", "2"]) {
      await w.ask("POST", `/v2/enqueue/q/https://a.test/${path}`, {
        headers: {
          [HEADER.callback]: CALLBACK,
          "Upstash-Callback-Delay": "1h",
          [HEADER.failureCallback]: "https://a.test/failure",
          [HEADER.retries]: "0",
        },
      });
    }
    await w.drain();
    const hours = w.calls.map(({ url, at }) => [new URL(url).pathname, (at - START) / 3_600_000]);
    expect(hours).toEqual([
      ["/1", 0],
      ["/failure", 0],
      ["/callback", 1],
      ["/2", 1],
      ["/callback", 2],
    ]);
  });

  it("takes what is published to a URL group, endpoint by endpoint", async () => {
    const w = world();
    await group(w, "https://a.test/1", "https://a.test/2");
    const { body, status } = await w.ask("POST", "/v2/enqueue/q/g", { headers: { [HEADER.delay]: "1h" } });
    expect(status).toBe(200);
    expect(body).toMatchObject([{ url: "https://a.test/1" }, { url: "https://a.test/2" }]);
    expect((await w.ask("GET", `/v2/messages/${body[1].messageId}`)).body).toMatchObject({
      queueName: "q",
      topicName: "g",
    });
    expect((await w.ask("GET", "/v2/queues/q")).body).toMatchObject({ lag: 2 });
    expect((await w.ask("DELETE", "/v2/messages?queueName=other")).body).toEqual({ cancelled: 0 });
    expect((await w.ask("DELETE", "/v2/messages?queueName=q")).body).toEqual({ cancelled: 2 });
  });
});

describe("a schedule", () => {
  const every = { [HEADER.cron]: "* * * * *", [HEADER.scheduleId]: "s" };

  it("for a URL group makes a message for each endpoint that there is at its tick", async () => {
    const w = world();
    await group(w, "https://a.test/1", "https://a.test/2");
    const made = await w.ask("POST", "/v2/schedules/g", {
      headers: { ...every, "Upstash-Forward-X-A": "1", [HEADER.delay]: "5s" },
      body: "tick",
    });
    expect(made).toMatchObject({ status: 200, body: { scheduleId: "s" } });
    expect((await w.ask("GET", "/v2/schedules/s")).body).toMatchObject({ destination: "g", delay: 5 });
    await w.drain(START + MINUTE + 5000);
    await group(w, "https://a.test/3");
    await w.drain(START + 2 * MINUTE + 5000);
    // Those of one tick come at the same moment, in any order.
    const calls = w.calls.toSorted((one, two) => one.at - two.at || one.url.localeCompare(two.url));
    expect(calls.map(({ url, at, text, headers }) => [url, at - START, text, headers.get("x-a")])).toEqual(
      [1, 2, 1, 2, 3].map((path, at) => [
        `https://a.test/${path}`,
        at < 2 ? MINUTE + 5000 : 2 * MINUTE + 5000,
        "tick",
        "1",
      ]),
    );
    expect(w.calls[0]?.headers.get(HEADER.topicName)).toBe("g");
    await w.ask("DELETE", "/v2/topics/g");
    await w.drain(START + 4 * MINUTE);
    expect(w.calls).toHaveLength(5);
    expect((await w.ask("GET", "/v2/schedules/s")).body).toMatchObject({ destination: "g" });
  });

  it("is named by the callbacks of its messages, which can be taken back by it", async () => {
    const w = world();
    await w.ask("POST", "/v2/schedules/https://a.test/x", {
      headers: { ...every, [HEADER.callback]: CALLBACK },
    });
    await w.drain(START + MINUTE);
    await w.engine.idle();
    const [report] = w.calls.filter(({ url }) => url === CALLBACK);
    expect(JSON.parse(report?.text ?? "")).toMatchObject({ scheduleId: "s", status: 200 });
    await w.ask("POST", "/v2/schedules/https://a.test/x", { headers: { ...every, [HEADER.delay]: "1h" } });
    await w.drain(START + 2 * MINUTE);
    expect((await w.ask("DELETE", "/v2/messages?scheduleId=s")).body).toEqual({ cancelled: 1 });
  });

  it.each([
    ["g", {}, 404, "url group g not found"],
    ["a.test", {}, 400, "invalid scheme"],
  ])("for %s with %j is refused", async (destination, headers, status, error) => {
    const w = world();
    const answer = await w.ask("POST", `/v2/schedules/${destination}`, {
      headers: { ...every, ...(headers as Record<string, string>) },
    });
    expect(answer).toMatchObject({ status, body: { error: expect.stringContaining(error) } });
    expect((await w.ask("GET", "/v2/schedules")).body).toEqual([]);
  });
});

describe("a dead letter", () => {
  it("that is sent again has the callbacks that the message had, and others where they are named", async () => {
    const w = world(({ url }) => new Response("", { status: url === "https://a.test/bad" ? 500 : 200 }));
    await group(w, "https://a.test/bad");
    await w.ask("POST", "/v2/enqueue/q/g", {
      headers: { [HEADER.callback]: CALLBACK, [HEADER.retries]: "0" },
    });
    await w.drain();
    for (const headers of [{}, { [HEADER.callback]: "https://a.test/other" }]) {
      const [letter] = await w.deadLetters("?topicName=g&queueName=q");
      await w.ask("POST", `/v2/dlq/retry/${letter.dlqId}`, { headers });
      await w.drain();
    }
    const reports = w.calls.filter(({ url }) => url !== "https://a.test/bad");
    expect(reports.map(({ url, text }) => [url, JSON.parse(text).topicName])).toEqual([
      [CALLBACK, "g"],
      [CALLBACK, "g"],
      ["https://a.test/other", "g"],
    ]);
    expect((await w.ask("GET", "/v2/logs?topicName=g&state=FAILED")).body.logs).toHaveLength(3);
    expect((await w.ask("GET", "/v2/logs?queueName=none")).body.logs).toEqual([]);
  });
});
