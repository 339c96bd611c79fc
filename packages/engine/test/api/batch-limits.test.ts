import { HEADER } from "@perdure/core/protocol";
import { describe, expect, it } from "vitest";
import { MAX_VALUES } from "../../src/http/json-faults.ts";
import { ok, until, type World, world } from "../harness.ts";

const url = (name: string): string => `https://${name}.test/`;
const batch = (w: World, items: readonly unknown[], path = "/v2/batch"): ReturnType<World["ask"]> =>
  w.ask("POST", path, { body: JSON.stringify(items) });
const items = (count: number, more: object = {}): object[] =>
  Array.from({ length: count }, (_, at) => ({ destination: `${url("a")}${at}`, ...more }));
const group = (w: World, endpoints: number): ReturnType<World["ask"]> =>
  w.ask("POST", "/v2/topics/group/endpoints", {
    body: JSON.stringify({
      endpoints: Array.from({ length: endpoints }, (_, at) => ({ url: `${url("g")}${at}` })),
    }),
  });

describe("a batch", () => {
  it.each(["/v2/batch", "/v2/batch/trigger"])("has so many items at most: %s", async (path) => {
    const w = world(() => ok(), { limits: { batchItems: 3 } });
    expect(await batch(w, items(4), path)).toMatchObject({
      status: 413,
      body: { error: "the batch has more than 3 items; send several smaller requests" },
    });
    expect(w.calls).toEqual([]);
    const { status, body } = await batch(w, items(3), path);
    expect([status < 300, body.length]).toEqual([true, 3]);
  });

  it("has its items counted before anything is made of them", async () => {
    const w = world();
    // Not even well formed, at its end.
    const body = `[${"{},".repeat(1_000_000)}`;
    expect(await w.ask("POST", "/v2/batch", { body })).toMatchObject({ status: 413 });
  });

  it("counts commas of its own list alone", async () => {
    const w = world(() => ok(), { limits: { batchItems: 1 } });
    const one = { destination: url("a"), body: "[1,2,3],[", headers: { a: "1,2", b: "}],{" } };
    expect(await batch(w, [one])).toMatchObject({ status: 200 });
  });

  it("has a message counted for each endpoint of a url group, and stores nothing of too many", async () => {
    const w = world(() => ok(), { limits: { batchItems: 10 } });
    await group(w, 4);
    const toGroup = { destination: "group" };
    expect(await batch(w, [...items(1), toGroup, toGroup, toGroup])).toMatchObject({
      status: 413,
      body: { error: expect.stringMatching(/^the batch becomes more than 10 messages/) },
    });
    await w.engine.idle();
    expect(w.calls).toEqual([]);
    expect(await batch(w, [...items(2), toGroup, toGroup])).toMatchObject({ status: 200 });
    await w.engine.idle();
    expect(w.calls).toHaveLength(10);
  });

  it("lets others have their turn, and be delivered to, while it is read and stored", async () => {
    const w = world();
    const done: string[] = [];
    const large = batch(w, items(1000, { headers: { [HEADER.delay]: "1d" } })).then((answer) => {
      done.push("batch");
      return answer;
    });
    const small = w.ask("POST", `/v2/publish/${url("b")}`).then(() => done.push("publish"));
    await until(() => w.calls.length === 1);
    expect(done).not.toContain("batch");
    await small;
    expect(done).not.toContain("batch");
    expect((await large).body).toHaveLength(1000);
  });

  it("lets others have their turn while one large message becomes many for a url group", async () => {
    const w = world();
    await group(w, 100);
    const done: string[] = [];
    const body = "x".repeat(1_000_000);
    const headers = { [HEADER.delay]: "1d" };
    const large = w.ask("POST", "/v2/publish/group", { body, headers }).then((answer) => {
      done.push("group");
      return answer;
    });
    const small = w.ask("POST", `/v2/publish/${url("b")}`).then(() => done.push("publish"));
    await until(() => w.calls.length === 1);
    await small;
    expect(done).toEqual(["publish"]);
    expect((await large).body).toHaveLength(100);
  });

  it("refuses a message to a url group as a whole", async () => {
    const w = world(() => ok(), { limits: { queues: 0 } });
    await group(w, 100);
    const refused = await w.ask("POST", "/v2/enqueue/q/group", { body: "x" });
    expect(refused.status).toBe(412);
    await w.engine.idle();
    expect(w.calls).toEqual([]);
    expect((await w.ask("GET", "/v2/logs")).body.logs).toEqual([]);
  });

  it("tells of each item that the store refuses in its place, in whatever slice it is", async () => {
    const w = world(() => ok(), { limits: { queues: 40 } });
    const all = Array.from({ length: 60 }, (_, at) => ({ destination: url("a"), queue: `q${at}` }));
    const { body } = await batch(w, all);
    expect(body.map((one: { error?: string }) => one.error !== undefined)).toEqual(
      Array.from({ length: 60 }, (_, at) => at >= 40),
    );
  });

  it("has so many headers an item at most", async () => {
    const w = world();
    const headers = (count: number): object =>
      Object.fromEntries(Array.from({ length: count }, (_, at) => [`h${at}`, ""]));
    const { body } = await batch(w, [
      { destination: url("a"), headers: headers(1001) },
      { destination: url("a"), headers: headers(1000) },
    ]);
    expect(body).toMatchObject([
      { error: "invalid headers: expected 1000 at most, got 1001" },
      { messageId: expect.any(String) },
    ]);
  });
});

describe("any JSON that is sent", () => {
  it.each([
    ["/v2/topics/g/endpoints", (n: number) => ({ endpoints: Array(n).fill(1) })],
    ["/v2/topics/g/endpoints", (n: number) => ({ a: Object.fromEntries(Array(n).fill(0).entries()) })],
    ["/v2/batch", (n: number) => [{ destination: url("a"), a: Array(n).fill([]) }]],
  ])("holds so many values at most: %s", async (path, body) => {
    const w = world();
    const answer = await w.ask("POST", path, { body: JSON.stringify(body(MAX_VALUES)) });
    expect(answer).toMatchObject({
      status: 413,
      body: { error: expect.stringMatching(/ has more than 50000 values; send several smaller requests$/) },
    });
  });

  // Of malformed JSON the parser would say so: it isn't asked.
  it.each(["", '{"a":1,"a":'])("isn't parsed where it is nested too deeply: after %j", async (before) => {
    const body = `${before}${"[".repeat(1001)}${"{}".repeat(60_000)}`;
    expect(await world().ask("POST", "/v2/batch", { body })).toEqual(
      expect.objectContaining({
        status: 400,
        body: { error: "the batch is nested deeper than 1000 levels" },
      }),
    );
  });

  it.each(['["', '[{"a', '{"a": "\\', '["\\"', '{"\\u": 1}', "[[[", "]", '"', '{"a":1,'])(
    "is refused, and ends, where it is cut: %s",
    async (body) => {
      expect(await world().ask("POST", "/v2/batch", { body })).toMatchObject({
        status: 400,
        body: { error: expect.stringMatching(/^the batch is not JSON/) },
      });
    },
  );
});
