import { HEADER } from "@perdure/core/protocol";
import { describe, expect, it } from "vitest";
import { type Answer, forget, type World, world } from "../harness.ts";

const MINUTE = 60_000;
const URL = "https://a.test/x";
const byId = (id: string): Record<string, string> => ({ [HEADER.deduplicationId]: id });
const byContent = { [HEADER.contentBasedDeduplication]: "true" };

function publish(w: World, headers: Record<string, string>, body = "b", url = URL): Promise<Answer> {
  return w.ask("POST", `/v2/publish/${url}`, { headers, body });
}

describe("a deduplication id", () => {
  it("is answered with the message that had it first, and nothing else is delivered", async () => {
    const w = world();
    const first = await publish(w, byId("d"));
    expect(first).toMatchObject({ status: 200, body: { url: URL } });
    expect(first.body).not.toHaveProperty("deduplicated");
    const again = await publish(w, byId("d"), "another", "https://b.test/y");
    expect(again).toMatchObject({ status: 202, body: { ...first.body, deduplicated: true } });
    expect((await publish(w, byId("e"))).status).toBe(200);
    await w.drain();
    expect(w.calls.map(({ text }) => text)).toEqual(["b", "b"]);
  });

  it("counts for ten minutes, to the millisecond", async () => {
    const w = world();
    await publish(w, byId("d"));
    await w.engine.idle();
    w.clock.advance(10 * MINUTE - 1);
    expect((await publish(w, byId("d"))).status).toBe(202);
    w.clock.advance(1);
    const second = await publish(w, byId("d"));
    expect(second.status).toBe(200);
    // A window begins with what was accepted, not with what was refused.
    w.clock.advance(9 * MINUTE);
    expect((await publish(w, byId("d"))).body.messageId).toBe(second.body.messageId);
  });

  it("counts for as long as the engine was told", async () => {
    const w = world(undefined, { retention: { deduplication: 1000 } });
    await publish(w, byId("d"));
    w.clock.advance(999);
    expect((await publish(w, byId("d"))).status).toBe(202);
    w.clock.advance(1);
    expect((await publish(w, byId("d"))).status).toBe(200);
  });

  it("outlives the delivery, the cancellation and the failure of its message", async () => {
    const w = world(({ url }) => new Response("", { status: url.endsWith("bad") ? 500 : 200 }));
    const delivered = await publish(w, byId("delivered"));
    const failed = await publish(w, { ...byId("failed"), [HEADER.retries]: "0" }, "b", "https://a.test/bad");
    await w.engine.idle();
    const canceled = await publish(w, { ...byId("canceled"), [HEADER.delay]: "1h" });
    await w.ask("DELETE", `/v2/messages/${canceled.body.messageId}`);
    w.clock.advance(5 * MINUTE);
    await forget(w, w.clock.now());
    for (const [id, { body }] of Object.entries({ delivered, failed, canceled })) {
      expect((await publish(w, byId(id))).body).toMatchObject({
        messageId: body.messageId,
        deduplicated: true,
      });
    }
  });

  it("is forgotten when it doesn't count any more", async () => {
    const w = world();
    await publish(w, byId("d"));
    await forget(w, w.clock.now() + 10 * MINUTE);
    // Its time isn't over by the engine's clock: it is gone.
    expect((await publish(w, byId("d"))).status).toBe(200);
  });

  it("counts for each item of a batch, also for two of the same batch", async () => {
    const w = world();
    const item = { destination: URL, headers: byId("d"), body: "b" };
    const { status, body } = await w.ask("POST", "/v2/batch", {
      body: JSON.stringify([item, { ...item, headers: byId("e") }, item]),
    });
    expect(status).toBe(200);
    expect(body[2]).toEqual({ ...body[0], deduplicated: true });
    expect(body[1].messageId).not.toBe(body[0].messageId);
    await w.drain();
    expect(w.calls).toHaveLength(2);
  });

  it("counts among many requests at the same time for one of them", async () => {
    const w = world();
    const answers = await Promise.all(Array.from({ length: 20 }, () => publish(w, byId("d"))));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(new Set(answers.map(({ body }) => body.messageId)).size).toBe(1);
  });
});

describe("deduplication by content", () => {
  it("knows the same message by its destination, body, type and forwarded headers", async () => {
    const w = world();
    const headers = {
      ...byContent,
      "Content-Type": "text/plain",
      "Upstash-Forward-A": "1",
      "Upstash-Forward-B": "2",
    };
    const first = await publish(w, headers);
    // Neither the order of headers nor how it is to be delivered makes another message of it.
    const reordered = { ...Object.fromEntries(Object.entries(headers).reverse()), [HEADER.retries]: "9" };
    expect((await publish(w, reordered)).body).toMatchObject({
      messageId: first.body.messageId,
      deduplicated: true,
    });
    const others = await Promise.all([
      publish(w, headers, "c"),
      publish(w, headers, "b", `${URL}?q=1`),
      publish(w, { ...headers, "Content-Type": "text/html" }),
      publish(w, { ...headers, "Upstash-Forward-A": "2" }),
      publish(w, { ...headers, "Upstash-Forward-C": "2" }),
    ]);
    expect(others.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
  });

  it("gives way to an id", async () => {
    const w = world();
    await publish(w, { ...byContent, ...byId("d") });
    expect((await publish(w, { ...byContent, ...byId("e") })).status).toBe(200);
    expect((await publish(w, byContent)).status).toBe(200);
    expect((await publish(w, { [HEADER.contentBasedDeduplication]: "false" })).status).toBe(200);
  });
});

describe("deduplication in a URL group", () => {
  it("is each endpoint's own", async () => {
    const w = world();
    const add = (endpoints: object[]): Promise<Answer> =>
      w.ask("POST", "/v2/topics/g/endpoints", { body: JSON.stringify({ endpoints }) });
    await add([{ url: "https://a.test/1" }, { url: "https://a.test/2" }]);
    for (const headers of [byId("d"), byContent]) {
      const first = await publish(w, headers, "b", "g");
      expect(first.status).toBe(200);
      await add([{ url: "https://a.test/3" }]);
      const again = await publish(w, headers, "b", "g");
      expect(again.body).toEqual([
        { ...first.body[0], deduplicated: true },
        { ...first.body[1], deduplicated: true },
        { messageId: expect.any(String), url: "https://a.test/3" },
      ]);
      expect(again.status).toBe(200);
      expect((await publish(w, headers, "b", "g")).status).toBe(202);
      await w.ask("DELETE", "/v2/topics/g/endpoints", {
        body: JSON.stringify({ endpoints: [{ url: "https://a.test/3" }] }),
      });
    }
    await w.drain();
    expect(w.calls).toHaveLength(6);
  });
});
