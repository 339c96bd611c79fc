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

/** Serves a path until one request has come, and gives that. */
function once(path: string): {
  readonly url: string;
  readonly received: Promise<{ body: string; headers: Headers; method: string }>;
} {
  let url = "";
  const received = new Promise<{ body: string; headers: Headers; method: string }>((resolve) => {
    url = app.at(path, async (request) => {
      resolve({ body: await request.text(), headers: request.headers, method: request.method });
      return new Response();
    });
  });
  return { url, received };
}

describe("the official client of QStash", () => {
  it("publishes, and its receiver verifies what is delivered", async () => {
    const { url, received } = once("/json");
    const { messageId } = await client.publishJSON({ url, body: { é: "<&>" }, headers: { "X-User": "u" } });
    const { body, headers } = await received;
    expect(JSON.parse(body)).toEqual({ é: "<&>" });
    expect(headers.get("X-User")).toBe("u");
    expect(headers.get("Upstash-Message-Id")).toBe(messageId);
    const receiver = new Receiver({ currentSigningKey, nextSigningKey, devMode: false });
    const signature = headers.get("Upstash-Signature") ?? "";
    expect(await receiver.verify({ signature, body, url })).toBe(true);
    await expect(receiver.verify({ signature, body: `${body} `, url })).rejects.toThrow();
    await expect(receiver.verify({ signature, body, url: `${url}/other` })).rejects.toThrow();
  });

  it("publishes many at once, with a method of their own", async () => {
    const put = once("/put");
    const get = once("/get");
    const results = await client.batch([
      { url: put.url, method: "PUT", body: "raw" },
      { url: get.url, method: "GET" },
    ]);
    expect(results).toHaveLength(2);
    expect(await put.received).toMatchObject({ method: "PUT", body: "raw" });
    expect(await get.received).toMatchObject({ method: "GET", body: "" });
  });

  it("looks at a message that waits, and takes it back", async () => {
    const { messageId } = await client.publish({
      url: app.at("/late", () => new Response()),
      delay: 3600,
      retries: 2,
    });
    expect(await client.messages.get(messageId)).toMatchObject({ messageId, maxRetries: 2, method: "POST" });
    await client.messages.delete(messageId);
    await expect(client.messages.get(messageId)).rejects.toThrow();
    await expect(client.messages.delete(messageId)).rejects.toThrow();
  });

  it("takes back as many as it likes at once", async () => {
    const url = app.at("/late", () => new Response());
    const ids: string[] = [];
    // A batch has 1000 items at most.
    for (let batch = 0; batch < 2; batch++) {
      const stored = await client.batch(Array.from({ length: 1000 }, () => ({ url, delay: 3600 })));
      ids.push(...stored.map((one) => (one as { messageId: string }).messageId));
    }
    expect(await client.messages.cancel(ids)).toEqual({ cancelled: 2000 });
  });

  it("finds what could not be delivered among the dead letters", async () => {
    const url = app.at("/broken", () => new Response("broken", { status: 503 }));
    const { messageId } = await client.publish({ url, retries: 0 });
    for (;;) {
      const { messages } = await client.dlq.listMessages();
      const letter = messages.find((message) => message.messageId === messageId);
      if (letter) {
        expect(letter).toMatchObject({ url, responseStatus: 503, responseBody: "broken" });
        break;
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  });

  it("is told what is wrong with a destination", async () => {
    await expect(client.publish({ url: "app.example.com/x" })).rejects.toThrow(/scheme/);
  });
});
