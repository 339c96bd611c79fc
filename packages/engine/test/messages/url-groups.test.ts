import { HEADER } from "@perdure/core/protocol";
import { describe, expect, it } from "vitest";
import { type Answer, START, type World, world } from "../harness.ts";

const A = { name: "one", url: "https://a.test/1" };
const B = { url: "https://b.test/2?q=a,b" };

function add(w: World, name: string, endpoints: object[]): Promise<Answer> {
  return w.ask("POST", `/v2/topics/${name}/endpoints`, { body: JSON.stringify({ endpoints }) });
}

function remove(w: World, name: string, endpoints: object[]): Promise<Answer> {
  return w.ask("DELETE", `/v2/topics/${name}/endpoints`, { body: JSON.stringify({ endpoints }) });
}

const endpointsOf = async (w: World, name: string): Promise<Answer["body"]> =>
  (await w.ask("GET", `/v2/topics/${name}`)).body.endpoints;

describe("a URL group", () => {
  it("is made by its first endpoints, and shows them as they were sent", async () => {
    const w = world();
    expect((await w.ask("GET", "/v2/topics")).body).toEqual([]);
    expect((await add(w, "g_-.1", [A, B])).status).toBe(200);
    w.clock.advance(5000);
    await add(w, "a", [B]);
    const group = { name: "g_-.1", createdAt: START, updatedAt: START, endpoints: [A, B] };
    expect((await w.ask("GET", "/v2/topics/g_-.1")).body).toEqual(group);
    expect((await w.ask("GET", "/v2/topics")).body).toEqual([
      { name: "a", createdAt: START + 5000, updatedAt: START + 5000, endpoints: [B] },
      group,
    ]);
  });

  it("replaces endpoints of the same name, or else of the same url", async () => {
    const w = world();
    await add(w, "g", [A, B]);
    w.clock.advance(1000);
    await add(w, "g", [
      { name: "one", url: "https://c.test/3" },
      { name: "two", url: B.url },
    ]);
    expect((await w.ask("GET", "/v2/topics/g")).body).toEqual({
      name: "g",
      createdAt: START,
      updatedAt: START + 1000,
      endpoints: [
        { name: "one", url: "https://c.test/3" },
        { name: "two", url: B.url },
      ],
    });
  });

  it("loses endpoints by name or url, and with the last one itself", async () => {
    const w = world();
    await add(w, "g", [A, B]);
    await remove(w, "g", [{ name: "one", url: null }]);
    expect(await endpointsOf(w, "g")).toEqual([B]);
    await remove(w, "g", [{ name: "other" }, { url: "https://none.test" }]);
    expect(await endpointsOf(w, "g")).toEqual([B]);
    expect((await remove(w, "g", [{ url: B.url }])).status).toBe(200);
    expect((await w.ask("GET", "/v2/topics/g")).status).toBe(404);
    expect(await remove(w, "g", [{ url: B.url }])).toMatchObject({
      status: 404,
      body: { error: "url group g not found" },
    });
  });

  it("can be deleted, and what was published to it is delivered all the same", async () => {
    const w = world();
    await add(w, "g", [A, B]);
    await w.ask("POST", "/v2/publish/g", { headers: { [HEADER.delay]: "1h" } });
    expect((await w.ask("DELETE", "/v2/topics/g")).status).toBe(200);
    expect((await w.ask("DELETE", "/v2/topics/g")).status).toBe(200);
    expect((await w.ask("POST", "/v2/publish/g")).status).toBe(404);
    await w.drain();
    expect(w.calls.map(({ url }) => url).sort()).toEqual([A.url, B.url].sort());
  });

  it("has as many endpoints as the engine was told", async () => {
    const w = world(undefined, { limits: { endpoints: 2 } });
    await add(w, "g", [A, B]);
    expect(await add(w, "g", [{ url: "https://c.test" }])).toMatchObject({
      status: 412,
      body: { error: expect.stringContaining("at most 2 endpoints; got 3") },
    });
    expect(await endpointsOf(w, "g")).toEqual([A, B]);
  });

  it("is refused very many at once without a comparison of each with each", async () => {
    const w = world();
    await add(w, "g", [A]);
    const many = Array.from({ length: 15_000 }, (_, at) => ({ name: `n${at}`, url: `https://c.test/${at}` }));
    const begun = performance.now();
    expect(await add(w, "g", many)).toMatchObject({
      status: 412,
      body: { error: expect.stringContaining("at most 100 endpoints; got 15000") },
    });
    // Counted before the first of them is looked at.
    expect(await add(w, "g", [{ url: "none" }, ...many])).toMatchObject({ status: 412 });
    expect(performance.now() - begun).toBeLessThan(3000);
    expect(await endpointsOf(w, "g")).toEqual([A]);
  });

  it("says what requests needn't say", async () => {
    const w = world();
    await add(w, "g", [A]);
    const headers = {
      "Upstash-Retries": ["7"],
      "upstash-forward-x-a": "group",
      "X-B": ["1", "2"],
      "Content-Type": "text/csv",
    };
    const patched = await w.ask("PATCH", "/v2/topics/g", { body: JSON.stringify({ headers }) });
    expect(patched.body).toMatchObject({
      endpoints: [A],
      headers: { "X-B": ["1, 2"], "Upstash-Retries": ["7"] },
    });
    const { body } = await w.ask("POST", "/v2/publish/g", {
      headers: { [HEADER.delay]: "1h", "Upstash-Forward-X-A": "request" },
    });
    expect((await w.ask("GET", `/v2/messages/${body[0].messageId}`)).body).toMatchObject({
      maxRetries: 7,
      header: { "X-A": ["request"], "X-B": ["1, 2"], "Content-Type": ["text/csv"] },
    });
    await w.ask("PATCH", "/v2/topics/g", { body: '{"headers":{}}' });
    expect((await w.ask("GET", "/v2/topics/g")).body).not.toHaveProperty("headers");
    expect((await w.ask("PATCH", "/v2/topics/none", { body: '{"headers":{}}' })).status).toBe(404);
  });
});

describe("publishing to a URL group", () => {
  it("makes a message for each endpoint, in their order, which tells where it came from", async () => {
    const w = world();
    await add(w, "g", [A, B]);
    const { status, body } = await w.ask("POST", "/v2/publish/g", {
      headers: { [HEADER.delay]: "1h" },
      body: "b",
    });
    expect(status).toBe(200);
    expect(body).toEqual([
      { messageId: expect.any(String), url: A.url },
      { messageId: expect.any(String), url: B.url },
    ]);
    const views = await Promise.all(
      body.map(({ messageId }: { messageId: string }) => w.ask("GET", `/v2/messages/${messageId}`)),
    );
    expect(views.map((view) => view.body)).toMatchObject([
      { topicName: "g", endpointName: "one", url: A.url, body: "b" },
      { topicName: "g", url: B.url, body: "b" },
    ]);
    expect(views[1]?.body).not.toHaveProperty("endpointName");
    await w.drain();
    // Which of them comes first is open: they are delivered side by side.
    expect(w.calls.map(({ url, headers }) => [url, headers.get("Upstash-Topic-Name")]).sort()).toEqual([
      [A.url, "g"],
      [B.url, "g"],
    ]);
  });

  it("retries and reports each endpoint by itself", async () => {
    const w = world(({ url }) => new Response("", { status: url === A.url ? 500 : 200 }));
    await add(w, "g", [A, B]);
    await w.ask("POST", "/v2/publish/g", {
      headers: {
        [HEADER.retries]: "1",
        [HEADER.retryDelay]: "0",
        [HEADER.callback]: "https://c.test/callback",
        [HEADER.failureCallback]: "https://c.test/failure",
      },
    });
    await w.drain();
    const reports = w.calls
      .filter(({ url }) => url.startsWith("https://c.test/"))
      .map(({ url, text }) => {
        const { status, topicName, endpointName, retried } = JSON.parse(text);
        return [new URL(url).pathname, status, topicName, endpointName, retried];
      });
    expect(reports.sort()).toEqual([
      ["/callback", 200, "g", undefined, 0],
      ["/callback", 500, "g", "one", 0],
      ["/callback", 500, "g", "one", 1],
      ["/failure", 500, "g", "one", 1],
    ]);
    // The reports are no part of the group.
    expect(w.calls.filter(({ headers }) => headers.has("Upstash-Topic-Name"))).toHaveLength(3);
  });

  it("is part of a batch as a list in the list", async () => {
    const w = world();
    await add(w, "g", [A, B]);
    const { body } = await w.ask("POST", "/v2/batch", {
      body: JSON.stringify([
        { destination: "https://c.test/", queue: null, body: null },
        { destination: "g", body: "b" },
        { destination: "none" },
        { destination: "g", headers: { "upstash-retries": "x" } },
      ]),
    });
    expect(body).toEqual([
      { messageId: expect.any(String), url: "https://c.test/" },
      [
        { messageId: expect.any(String), url: A.url },
        { messageId: expect.any(String), url: B.url },
      ],
      { error: "url group none not found" },
      { error: expect.stringContaining("Upstash-Retries") },
    ]);
    await w.drain();
    expect(w.calls).toHaveLength(3);
  });

  it.each([
    ["none", 404, "url group none not found"],
    ["a.test", 400, "endpoint has invalid scheme, add http:// or https://"],
    ["a.test/path", 400, "endpoint has invalid scheme, add http:// or https://"],
    ["localhost:3000", 400, "endpoint has invalid scheme, add http:// or https://"],
    ["ftp://a.test", 400, "endpoint has invalid scheme, add http:// or https://"],
    ["", 400, "endpoint has invalid scheme, add http:// or https://"],
  ])("that isn't there: %j is answered with %i", async (destination, status, error) => {
    const w = world();
    const answer = await w.ask("POST", `/v2/publish/${destination}`);
    expect(answer).toMatchObject({ status, body: { error: expect.stringContaining(error) } });
  });

  it("starts no run", async () => {
    const w = world();
    await add(w, "g", [A]);
    const headers = { [HEADER.init]: "true", [HEADER.runId]: "wfr_1" };
    expect(await w.ask("POST", "/v2/publish/g", { headers })).toMatchObject({
      status: 400,
      body: { error: expect.stringContaining("a run has one endpoint") },
    });
    const call = { [HEADER.callType]: "toCallback", [HEADER.runId]: "wfr_1" };
    expect((await w.ask("POST", "/v2/publish/g", { headers: call })).status).toBe(400);
  });
});
