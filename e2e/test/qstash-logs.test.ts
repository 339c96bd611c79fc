import { join } from "node:path";
import { DEV_CREDENTIALS } from "@perdure/core/protocol";
import { EngineProcess, temporaryFolder } from "@perdure/test-support/process";
import { Client, type Log, type LogsRequest } from "@upstash/qstash";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Endpoint } from "./support/endpoint.ts";

const { token } = DEV_CREDENTIALS;
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

/** Asks until there is what one waits for. */
async function eventually<T>(ask: () => Promise<T | undefined>): Promise<T> {
  for (;;) {
    const found = await ask();
    if (found !== undefined) return found;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** All entries of a message, the oldest first, once it is in this state. */
function logsUntil(messageId: string, state: string): Promise<Log[]> {
  return eventually(async () => {
    const { logs } = await client.logs({ messageIds: [messageId] });
    return logs[0]?.state === state ? logs.reverse() : undefined;
  });
}

const fragile = (path: string) => {
  const state = { broken: true, bodies: [] as string[], url: "" };
  state.url = app.at(path, async (request) => {
    state.bodies.push(await request.text());
    return state.broken ? new Response("broken", { status: 503 }) : new Response("fine");
  });
  return state;
};

describe("the official client's logs", () => {
  it("tell of a message from its creation to its delivery", async () => {
    const { messageId } = await client.publishJSON({
      url: app.at("/fine", () => new Response()),
      body: { hello: "<world>" },
      label: ["first", "second"],
      headers: { "X-User": "u" },
    });
    const logs = await logsUntil(messageId, "DELIVERED");
    expect(logs.map(({ state }) => state)).toEqual(["CREATED", "ACTIVE", "DELIVERED"]);
    expect(logs[0]).toMatchObject({
      messageId,
      label: "first",
      labels: ["first", "second"],
      header: { "X-User": ["u"], "Content-Type": ["application/json"] },
    });
    expect(Buffer.from(logs[0]?.body ?? "", "base64").toString()).toBe('{"hello":"<world>"}');
  });

  it("tell of attempts that fail", async () => {
    const { url } = fragile("/logs-fail");
    const { messageId } = await client.publish({ url, body: "x", retries: 1, retryDelay: "0" });
    const logs = await logsUntil(messageId, "FAILED");
    expect(logs.map(({ state }) => state)).toEqual([
      "CREATED",
      "ACTIVE",
      "ERROR",
      "RETRY",
      "ACTIVE",
      "ERROR",
      "FAILED",
    ]);
    expect(logs[2]).toMatchObject({ responseStatus: 503, error: "the endpoint answered 503" });
  });

  it("tell of what was cancelled, and are found by filters, page by page", async () => {
    const url = app.at("/late", () => new Response());
    const ids: string[] = [];
    for (const label of ["l0", "l1", "l2"]) {
      ids.push((await client.publish({ url, delay: 3600, label: [label, "paged"] })).messageId);
    }
    await client.messages.delete(ids[1] ?? "");
    const found = async (request: LogsRequest): Promise<string[]> =>
      (await client.logs(request)).logs.map((log) => `${ids.indexOf(log.messageId)} ${log.state}`);
    expect(await found({ filter: { label: "paged" } })).toEqual([
      "1 CANCELLED",
      "1 CANCEL_REQUESTED",
      "2 CREATED",
      "1 CREATED",
      "0 CREATED",
    ]);
    expect(await found({ filter: { label: "l1", state: "CANCELED" } })).toEqual(["1 CANCELLED"]);
    expect(await found({ filter: { url, state: "CREATED", label: "l2" } })).toEqual(["2 CREATED"]);
    expect(await found({ filter: { host: new URL(url).host, path: "/late", label: "l0" } })).toEqual([
      "0 CREATED",
    ]);
    expect(await found({ filter: { label: "paged", fromDate: new Date(Date.now() + 60_000) } })).toEqual([]);
    const pages: string[][] = [];
    let cursor: string | undefined;
    do {
      const page = await client.logs({ filter: { label: "paged", count: 2 }, ...(cursor ? { cursor } : {}) });
      pages.push(page.logs.map(({ state }) => state));
      cursor = page.cursor;
    } while (cursor);
    expect(pages.map((page) => page.length)).toEqual([2, 2, 1]);
  });

  it("refuse a filter that there isn't", async () => {
    const filter = { nonsense: "x" } as object;
    await expect(client.logs({ filter })).rejects.toThrow(/nonsense/);
  });
});

describe("the official client's dead letters", () => {
  const letterOf = (messageId: string) =>
    eventually(async () =>
      (await client.dlq.listMessages()).messages.find((message) => message.messageId === messageId),
    );

  it("are sent again, one by one and in bulk, and are then gone", async () => {
    const one = fragile("/one");
    const two = fragile("/two");
    const three = fragile("/three");
    const letters = [];
    for (const { url } of [one, two, three]) {
      const { messageId } = await client.publish({ url, body: "content", retries: 0, label: "again" });
      letters.push(await letterOf(messageId));
    }
    const all = [one, two, three];
    for (const state of all) state.broken = false;
    const first = await client.dlq.retry(letters[0]?.dlqId ?? "");
    expect(first.responses).toEqual([{ messageId: expect.stringMatching(/^msg_/) }]);
    await logsUntil(first.responses[0]?.messageId ?? "", "DELIVERED");
    await expect(client.dlq.delete(letters[0]?.dlqId ?? "")).rejects.toThrow(/not found/);
    const rest = await client.dlq.retry({ filter: { label: "again" } });
    expect(rest.responses).toHaveLength(2);
    expect(rest.cursor).toBeUndefined();
    for (const { messageId } of rest.responses) await logsUntil(messageId, "DELIVERED");
    for (const { bodies } of all) expect(bodies).toEqual(["content", "content"]);
    expect(await client.dlq.retry({ dlqIds: letters.map(({ dlqId }) => dlqId) })).toMatchObject({
      responses: [],
    });
  });

  it("are deleted by ids, by filters, all of them", async () => {
    for (const label of ["d1", "d2", "d3"]) {
      const { url } = fragile(`/${label}`);
      await letterOf((await client.publish({ url, retries: 0, label })).messageId);
    }
    const { messages } = await client.dlq.listMessages({ filter: { label: "d1" } });
    expect(messages).toMatchObject([{ label: "d1", responseStatus: 503, responseBody: "broken" }]);
    expect(await client.dlq.delete(messages.map(({ dlqId }) => dlqId))).toEqual({ deleted: 1 });
    expect(await client.dlq.delete({ filter: { label: "d2" } })).toEqual({ deleted: 1 });
    let deleted = 0;
    let cursor: string | undefined;
    do {
      const page: { deleted: number; cursor?: string } = await client.dlq.delete({
        all: true,
        count: 1,
        ...(cursor ? { cursor } : {}),
      });
      deleted += page.deleted;
      cursor = page.cursor;
    } while (cursor);
    expect(deleted).toBeGreaterThanOrEqual(1);
    expect(await client.dlq.delete({ all: true })).toEqual({ deleted: 0 });
  });

  it("tell what became of the failure callback", async () => {
    const { url } = fragile("/reported");
    const reports = app.at("/reports", () => new Response("noted"));
    const { messageId } = await client.publish({ url, retries: 0, failureCallback: reports });
    const letter = await eventually(async () => {
      // The client's types don't know of it.
      const found: { failureCallbackInfo?: { state: string } } & object = await letterOf(messageId);
      return found.failureCallbackInfo?.state === "CALLBACK_SUCCESS" ? found : undefined;
    });
    expect(letter).toMatchObject({
      failureCallback: reports,
      failureCallbackInfo: { state: "CALLBACK_SUCCESS", responseStatus: 200, responseBody: "noted" },
    });
  });
});
