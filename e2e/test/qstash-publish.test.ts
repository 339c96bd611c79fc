import { join } from "node:path";
import { DEV_CREDENTIALS } from "@perdure/core/protocol";
import { EngineProcess, temporaryFolder } from "@perdure/test-support/process";
import { Client, Receiver } from "@upstash/qstash";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Endpoint } from "./support/endpoint.ts";

const { token, currentSigningKey, nextSigningKey } = DEV_CREDENTIALS;
const folder = temporaryFolder();
let engine: EngineProcess;
let app: Endpoint;
let client: Client;
beforeAll(async () => {
  engine = await EngineProcess.start(join(folder.path, "engine.db"));
  app = await Endpoint.start();
  client = new Client({ baseUrl: engine.url, token, devMode: false });
});
afterAll(async () => {
  await app.stop();
  await engine.process.kill("SIGTERM");
  folder.remove();
});

interface Received {
  readonly body: string;
  readonly headers: Headers;
}

/** Serves a path, and gives the first `count` requests to it once they have come. */
function served(
  path: string,
  count = 1,
  status = 200,
): { readonly url: string; readonly all: Promise<Received[]> } {
  const received: Received[] = [];
  let url = "";
  const all = new Promise<Received[]>((resolve) => {
    url = app.at(path, async (request) => {
      received.push({ body: await request.text(), headers: request.headers });
      if (received.length === count) resolve(received);
      return new Response(`answer ${received.length}`, { status, headers: { "X-Answer": "yes" } });
    });
  });
  return { url, all };
}

const nowhere = "https://nowhere.example";

describe("the official client's callbacks", () => {
  it("tell of an answer, with a signature and headers of their own", async () => {
    const work = served("/callback/work");
    const callback = served("/callback/report");
    const { messageId } = await client.publish({
      url: work.url,
      body: "work",
      callback: callback.url,
      headers: { "X-User": "u", "Upstash-Callback-Forward-X-Mine": "m" },
    });
    const [report] = (await callback.all) as [Received];
    expect(report.headers.get("X-Mine")).toBe("m");
    const receiver = new Receiver({ currentSigningKey, nextSigningKey, devMode: false });
    const signature = report.headers.get("Upstash-Signature") ?? "";
    expect(await receiver.verify({ signature, body: report.body, url: callback.url })).toBe(true);
    expect(JSON.parse(report.body)).toMatchObject({
      sourceMessageId: messageId,
      status: 200,
      body: Buffer.from("answer 1").toString("base64"),
      header: { "X-Answer": ["yes"] },
      sourceBody: Buffer.from("work").toString("base64"),
      sourceHeader: { "X-User": ["u"] },
      url: work.url,
      retried: 0,
      maxRetries: 3,
    });
  });

  it("tell of each failed attempt, and once of the failure", async () => {
    const work = served("/failing/work", 2, 500);
    const callback = served("/failing/report", 2);
    const failure = served("/failing/failure");
    await client.publishJSON({
      url: work.url,
      body: {},
      retries: 1,
      retryDelay: "10",
      callback: callback.url,
      failureCallback: failure.url,
    });
    const reports = (await callback.all).map(({ body }) => JSON.parse(body));
    expect(reports.map(({ retried }) => retried).sort()).toEqual([0, 1]);
    const [report] = (await failure.all) as [Received];
    const { dlqId } = JSON.parse(report.body);
    const { messages } = await client.dlq.listMessages();
    expect(messages.find((message) => message.dlqId === dlqId)).toMatchObject({ url: work.url });
  });
});

describe("the official client's deduplication", () => {
  it("knows ids and contents again", async () => {
    const late = { url: `${nowhere}/dedup`, delay: 3600 } as const;
    for (const option of [{ deduplicationId: "once" }, { contentBasedDeduplication: true }]) {
      const first = await client.publishJSON({ ...late, ...option, body: { a: 1 } });
      expect(first.deduplicated).toBeUndefined();
      const again = await client.publishJSON({ ...late, ...option, body: { a: 1 } });
      expect(again).toMatchObject({ messageId: first.messageId, deduplicated: true });
    }
    const other = await client.publishJSON({ ...late, contentBasedDeduplication: true, body: { a: 2 } });
    expect(other.deduplicated).toBeUndefined();
  });
});

describe("the official client's URL groups", () => {
  it("are made, shown, changed and removed", async () => {
    const name = "-my_group.1";
    const endpoints = [{ name: "one", url: `${nowhere}/1` }, { url: `${nowhere}/2` }];
    await client.urlGroups.addEndpoints({ name, endpoints });
    expect(await client.urlGroups.get(name)).toMatchObject({ name, endpoints });
    expect((await client.urlGroups.list()).map((group) => group.name)).toContain(name);
    await client.urlGroups.removeEndpoints({ name, endpoints: [{ name: "one" }] });
    expect((await client.urlGroups.get(name)).endpoints).toEqual([{ url: `${nowhere}/2` }]);
    await client.urlGroups.delete(name);
    await expect(client.urlGroups.get(name)).rejects.toThrow(/not found/);
  });

  it("deliver to each endpoint", async () => {
    const [one, two] = [served("/group/1"), served("/group/2")];
    await client.urlGroups.addEndpoints({ name: "pair", endpoints: [{ url: one.url }, { url: two.url }] });
    const results = await client.publish({ urlGroup: "pair", body: "to both" });
    expect(results.map(({ url }) => url)).toEqual([one.url, two.url]);
    for (const { all } of [one, two]) {
      const [{ body, headers }] = (await all) as [Received];
      expect(body).toBe("to both");
      expect(headers.get("Upstash-Topic-Name")).toBe("pair");
    }
    const batch = await client.batch([
      { urlGroup: "pair", delay: 3600 },
      { url: `${nowhere}/single`, delay: 3600 },
    ]);
    expect(batch).toMatchObject([[{ url: one.url }, { url: two.url }], { url: `${nowhere}/single` }]);
    const first = (batch[0] as { messageId: string }[])[0];
    expect(await client.messages.get(first?.messageId ?? "")).toMatchObject({ urlGroup: "pair" });
    expect(await client.messages.cancel({ filter: { urlGroup: "pair" } })).toEqual({ cancelled: 2 });
  });

  it("that aren't there are said to be missing", async () => {
    await expect(client.publish({ urlGroup: "missing" })).rejects.toThrow(/url group missing not found/);
  });
});

describe("the official client's messages", () => {
  it("show how they will be delivered", async () => {
    const { messageId } = await client.publishJSON({
      url: `${nowhere}/shown//twice?a=1,2`,
      body: { a: 1 },
      headers: { "test-header": "test-value", "Upstash-Callback-Forward-X": "c" },
      callback: `${nowhere}/c`,
      failureCallback: `${nowhere}/f`,
      delay: 3600,
      retries: 7,
      retryDelay: "pow(2, retried) * 1000",
      label: ["one", "two"],
      flowControl: { key: "flow", parallelism: 2, rate: 3, period: "1d" },
      redact: { header: ["x-hidden"] },
    });
    expect(await client.messages.get(messageId)).toMatchObject({
      url: `${nowhere}/shown//twice?a=1,2`,
      method: "POST",
      body: '{"a":1}',
      header: { "Test-Header": ["test-value"], "Content-Type": ["application/json"] },
      callback: `${nowhere}/c`,
      callbackHeader: { X: ["c"] },
      failureCallback: `${nowhere}/f`,
      maxRetries: 7,
      retryDelayExpression: "pow(2, retried) * 1000",
      label: "one",
      labels: ["one", "two"],
      flowControlKey: "flow",
      parallelism: 2,
      rate: 3,
      period: 86_400,
      callerIp: "127.0.0.1",
    });
  });

  it("are taken back by id, by filter, and all of them", async () => {
    const late = async (path: string, label?: string): Promise<string> => {
      const url = `${nowhere}/${path}`;
      return (await client.publish({ url, delay: 3600, ...(label === undefined ? {} : { label }) }))
        .messageId;
    };
    const ids = await Promise.all([late("1"), late("2"), late("3", "gone"), late("4")]);
    expect(await client.messages.cancel(ids[0] ?? "")).toEqual({ cancelled: 1 });
    expect(await client.messages.cancel(ids.slice(0, 2))).toEqual({ cancelled: 1 });
    expect(await client.messages.cancel({ filter: { label: "gone" } })).toEqual({ cancelled: 1 });
    // More than the client's own number of them.
    await client.batch(Array.from({ length: 150 }, () => ({ url: `${nowhere}/many`, delay: 3600 })));
    expect((await client.messages.cancel({ all: true })).cancelled).toBeGreaterThan(150);
    await expect(client.messages.get(ids[3] ?? "")).rejects.toThrow(/not found/);
  });
});
