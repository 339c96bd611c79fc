import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";
import { Client as QStashClient } from "@upstash/qstash";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
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
    expect(error.message).toMatch(/403.*read-only token/);
    expect(recorder().requests).toHaveLength(1);
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
    expect(body.message).toMatch(/qstashClient: qstash.*@perdure\/core\/qstash/);
  });
});
