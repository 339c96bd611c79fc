import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";
import { Client as QStashClient } from "@upstash/qstash";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { unreachableReason } from "../src/engine-client/error-reason.ts";
import { Client, type ServeOptions, WorkflowError } from "../src/index.ts";
import { qstash } from "../src/qstash.ts";
import { deliver, open, useRecorder } from "./support/fixture.ts";

const recorder = useRecorder();

const clientOf = (more: object = {}) => new Client({ baseUrl: recorder().url, token: "token", ...more });

/** What a call fails with, a WorkflowError. */
async function failureOf(call: Promise<unknown>): Promise<WorkflowError> {
  const error = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(WorkflowError);
  return error as WorkflowError;
}

describe("a request to the engine", () => {
  it("goes to the address that is configured, also with a slash at its end", async () => {
    await clientOf({ baseUrl: `${recorder().url}//` })
      .getWaiters({ eventId: "e" })
      .catch(() => {});
    expect(recorder().requests[0]).toMatchObject({
      method: "GET",
      path: "/v2/waiters/e",
      headers: { authorization: "Bearer token" },
    });
  });

  it("repeats the name of a filter for each of its values, and has dates as milliseconds", async () => {
    recorder().answer = () => ({ body: { messages: [] } });
    await clientOf().dlq.list({ filter: { label: "a b", fromDate: new Date(5) }, count: 2 });
    expect(recorder().requests[0]?.path).toMatch(/[?&]label=a\+b&.*fromDate=5/);
  });

  it("that is refused tells status and words", async () => {
    recorder().answer = () => ({ status: 403, body: { error: "read-only token" } });
    const error = await failureOf(clientOf().trigger({ url: "https://app.example.com/wf" }));
    expect(error.code).toBe("engine_refused");
    expect(error.message).toBe(
      `The engine at ${recorder().url} answers 403 to POST /v2/batch: read-only token. Set PERDURE_TOKEN and PERDURE_URL to those of the engine.`,
    );
    expect(recorder().requests).toHaveLength(1);
  });

  it.each([
    ['{"message":"not today"}', "not today"],
    ["<h1>Bad gateway</h1>", "<h1>Bad gateway</h1>"],
    ["", "status 502"],
    ["x".repeat(5000), "x".repeat(500)],
  ])("that is refused with %s tells what stands there", async (body, said) => {
    recorder().answer = () => ({ status: 502, text: body });
    const { message } = await failureOf(clientOf().dlq.list());
    expect(message).toBe(`The engine at ${recorder().url} answers 502 to GET /v2/dlq: ${said}`);
  });

  it("that another server answers tells that it is none", async () => {
    recorder().answer = () => ({ status: 200, text: "<!DOCTYPE html>" });
    const { code, message } = await failureOf(clientOf().dlq.list());
    expect(code).toBe("engine_refused");
    expect(message).toMatch(/answers 200 to GET \/v2\/dlq: .*DOCTYPE.* isn't JSON.*PERDURE_URL/);
  });

  it("beyond a quota is told from one that is refused", async () => {
    recorder().answer = () => ({ status: 412, body: { error: "retries" } });
    expect((await failureOf(clientOf().dlq.list())).code).toBe("quota_exceeded");
  });
});

describe("an engine that doesn't answer", () => {
  it("is asked again, after each backoff", async () => {
    const asked: number[] = [];
    const backoff = (count: number) => asked.push(count);
    const lonely = clientOf({ baseUrl: "http://127.0.0.1:1", retry: { retries: 3, backoff } });
    expect((await failureOf(lonely.dlq.list())).code).toBe("engine_unreachable");
    expect(asked).toEqual([0, 1, 2]);
  });

  it("and says that it can't at this moment, is asked again for what only reads, as often", async () => {
    recorder().answer = () => {
      const status = recorder().requests.length < 3 ? 503 : 200;
      return { status, body: status === 200 ? { messages: [] } : { error: "try again later" } };
    };
    const asked: number[] = [];
    const backoff = (count: number) => asked.push(count);
    expect(await clientOf({ retry: { backoff } }).dlq.list()).toMatchObject({ messages: [] });
    expect(asked).toEqual([0, 1]);
    recorder().answer = () => ({ status: 503, body: { error: "try again later" } });
    expect((await failureOf(clientOf({ retry: { retries: 2, backoff } }).dlq.list())).message).toMatch(/503/);
    expect(asked).toEqual([0, 1, 0, 1]);
  });

  it.each([
    [
      "a request that changes something",
      {},
      (client: Client) => client.trigger({ url: "https://a.example/" }),
    ],
    ["a client without retries", { retry: false }, (client: Client) => client.dlq.list()],
  ])("and says that it can't, isn't asked again by %s", async (_, more, call) => {
    recorder().answer = () => ({ status: 503, body: { error: "try again later" } });
    expect((await failureOf(call(clientOf(more)))).message).toMatch(/503/);
    expect(recorder().requests).toHaveLength(1);
  });
});

describe("an engine that can't be reached", () => {
  const plain = createServer((_, response) => response.end());
  const closed = createServer();
  const portOf = (server: Server) => (server.address() as AddressInfo).port;
  let nobody: string;
  beforeAll(async () => {
    for (const server of [plain, closed])
      await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
    nobody = `http://127.0.0.1:${portOf(closed)}`;
    await new Promise((resolve) => closed.close(resolve));
  });
  afterAll(() => void plain.close());

  const reasonAt = async (client: Client) => {
    const { code, message } = await failureOf(client.trigger({ url: "https://app.example.com/wf" }));
    expect(code).toBe("engine_unreachable");
    return message;
  };

  it.each([
    ["refuses the connection", () => nobody, "connection refused"],
    ["doesn't speak TLS", () => `https://127.0.0.1:${portOf(plain)}`, "TLS failed"],
  ])("because it %s is named, with the reason and what to do", async (_, at, reason) => {
    const message = await reasonAt(clientOf({ baseUrl: at(), retry: false }));
    expect(message).toContain(`The engine at ${at()} can't be reached for POST /v2/batch: ${reason}`);
    expect(message).toMatch(/"npx perdure dev".*PERDURE_URL/);
  });

  it.each([
    [{ code: "ECONNREFUSED", message: "connect ECONNREFUSED ::1:8080" }, "connection refused: connect ECONN"],
    [{ code: "ConnectionRefused", message: "Unable to connect." }, "connection refused: Unable to connect."],
    [
      { message: "client error (Connect): tcp connect error: Connection refused (os error 111)" },
      "connection refused: ",
    ],
    [{ code: "ENOTFOUND", message: "getaddrinfo ENOTFOUND engine" }, "no such host: getaddrinfo"],
    [{ code: "EAI_AGAIN", message: "getaddrinfo EAI_AGAIN engine" }, "no such host: getaddrinfo"],
    [
      { message: "client error (Connect): dns error: failed to lookup address information" },
      "no such host: ",
    ],
    [{ code: "DEPTH_ZERO_SELF_SIGNED_CERT", message: "self-signed certificate" }, "TLS failed: self-signed"],
    [{ code: "ERR_TLS_CERT_ALTNAME_INVALID", message: "altnames" }, "TLS failed: altnames"],
    [{ code: "UND_ERR_CONNECT_TIMEOUT", message: "Connect Timeout Error" }, "no answer in time: Connect"],
    [{ message: "Network connection lost." }, "Network connection lost."],
  ])("because of %j, on whichever platform, has a reason", (fields, reason) => {
    const deepest = Object.assign(new Error(), fields);
    const aggregate = new AggregateError([deepest, new Error("another one")]);
    for (const cause of [deepest, aggregate])
      expect(unreachableReason(new TypeError("fetch failed", { cause })).startsWith(reason)).toBe(true);
  });

  it("is named also by the official client", async () => {
    const given = new QStashClient({
      baseUrl: nobody,
      token: "t",
      retry: false,
      devMode: false,
    });
    expect(await reasonAt(new Client(given))).toContain(
      `${nobody} can't be reached for POST /v2/batch: connection refused`,
    );
  });
});

describe("an engine whose answer gets lost", () => {
  const ids: unknown[] = [];
  const server = createServer(async (request, response) => {
    const [start] = (await json(request)) as { headers: Record<string, string> }[];
    ids.push(start?.headers["perdure-trigger-id"]);
    if (ids.length === 1) response.destroy();
    else response.end(JSON.stringify([{ messageId: "m" }]));
  });
  beforeAll(() => new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve)));
  afterAll(() => void server.close());

  it("can tell a trigger that is sent again from another one", async () => {
    const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const client = clientOf({ baseUrl, retry: { backoff: () => 0 } });
    const run = { url: "https://app.example.com/wf", workflowRunId: "a" };
    await client.trigger(run);
    await client.trigger(run);
    const [first, again, other] = ids;
    expect(ids).toHaveLength(3);
    expect(first).toMatch(/^[\w-]{21}$/);
    expect(again).toBe(first);
    expect(other).not.toBe(first);
  });
});

describe("an engine that redirects", () => {
  const elsewhere: string[] = [];
  const server = createServer((request, response) => {
    if (request.url === "/elsewhere") elsewhere.push(request.headers.authorization ?? "nothing");
    response.writeHead(307, { Location: "/elsewhere" }).end();
  });
  beforeAll(() => new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve)));
  afterAll(() => void server.close());

  it("isn't followed: the token is for nobody else", async () => {
    const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const error = await failureOf(clientOf({ baseUrl }).dlq.list());
    expect(error).toMatchObject({ code: "engine_refused" });
    expect(error.message).toContain("307");
    expect(elsewhere).toEqual([]);
  });
});

describe("context.qstashClient", () => {
  const seen = async (qstashClient: ServeOptions["qstashClient"]) => {
    const handler = open(
      recorder(),
      (context) => context.run("publish", () => context.qstashClient instanceof QStashClient),
      qstashClient === undefined ? {} : { qstashClient },
    );
    return deliver(handler, []);
  };

  it("is made from the environment by `qstash`, and makes the run's own requests", async () => {
    expect(await seen(qstash)).toMatchObject({ status: 200 });
    expect(recorder().records[0]).toMatchObject({ stepName: "publish", out: "true" });
    expect(recorder().requests[0]?.headers).toMatchObject({ authorization: "Bearer token" });
  });

  it("is the client that serve was given", async () => {
    const given = new QStashClient({ baseUrl: recorder().url, token: "own", devMode: false });
    expect(await seen(given)).toMatchObject({ status: 200 });
    expect(recorder().requests[0]?.headers).toMatchObject({ authorization: "Bearer own" });
  });

  it("says what to pass where there is none", async () => {
    const { body } = await seen(undefined);
    expect(body.message).toMatch(/qstashClient, such as qstash of @perdure\/core\/qstash/);
  });
});
