import { HEADER } from "@perdure/core/protocol";
import { describe, expect, it } from "vitest";
import { type Answer, START, until, type World, world } from "../harness.ts";

const later = { [HEADER.delay]: "1d" };

async function publish(w: World, url: string, headers: Record<string, string> = {}): Promise<string> {
  const { body } = await w.ask("POST", `/v2/publish/${url}`, { headers: { ...later, ...headers } });
  return (Array.isArray(body) ? body[0] : body).messageId;
}

function cancel(w: World, query = ""): Promise<Answer> {
  return w.ask("DELETE", `/v2/messages${query}`);
}

async function batch(w: World, items: readonly object[]): Promise<Answer["body"]> {
  return (await w.ask("POST", "/v2/batch", { body: JSON.stringify(items) })).body;
}

async function left(w: World): Promise<string[]> {
  w.store.useClock(() => START + 1e9);
  const { claims } = await w.store.claim({ limit: 1000, leaseUntil: START + 2e9 });
  w.store.useClock(() => w.clock.now());
  return claims.map(({ message }) => message.url).sort();
}

/** One message for each filter that only it passes. */
async function mixed(w: World): Promise<void> {
  await w.ask("POST", "/v2/topics/g/endpoints", { body: '{"endpoints":[{"url":"https://g.test/"}]}' });
  await publish(w, "g");
  await publish(w, "https://a.test/plain");
  await publish(w, "https://host.test:81/p?q=1,2");
  await publish(w, "https://a.test/labelled", { [HEADER.label]: "l,m" });
  await publish(w, "https://a.test/flow", {
    [HEADER.flowControlKey]: "k",
    [HEADER.flowControlValue]: "rate=1",
  });
  w.clock.advance(1000);
  await publish(w, "https://a.test/young");
}

const ALL = [
  "https://a.test/flow",
  "https://a.test/labelled",
  "https://a.test/plain",
  "https://a.test/young",
  "https://g.test/",
  "https://host.test:81/p?q=1,2",
];

describe("DELETE /v2/messages", () => {
  it.each([
    ["?topicName=g", ["https://g.test/"]],
    ["?url=https://host.test:81/p%3Fq=1,2", ["https://host.test:81/p?q=1,2"]],
    ["?host=host.test:81,none", ["https://host.test:81/p?q=1,2"]],
    ["?path=/p&path=/young", ["https://a.test/young", "https://host.test:81/p?q=1,2"]],
    ["?label=m", ["https://a.test/labelled"]],
    ["?flowControlKey=k", ["https://a.test/flow"]],
    [`?fromDate=${START + 1000}`, ["https://a.test/young"]],
    [`?toDate=${START}&host=a.test&path=/plain,/young`, []],
    [`?toDate=${START}&host=a.test&path=/plain`, ["https://a.test/plain"]],
    ["?callerIp=127.0.0.1&label=l", ["https://a.test/labelled"]],
    ["?callerIP=1.2.3.4", []],
    ["", ALL],
    ["?count=100", ALL],
    ["?count=2", ["https://a.test/flow", "https://a.test/young"]],
    ["?messageIds=none", []],
  ])("%s takes back what matches", async (query, gone) => {
    const w = world();
    await mixed(w);
    expect(await cancel(w, query)).toMatchObject({ status: 200, body: { cancelled: gone.length } });
    expect(await left(w)).toEqual(ALL.filter((url) => !gone.includes(url)));
  });

  it("by ids heeds nothing else, and counts those that were there", async () => {
    const w = world();
    const ids = [await publish(w, "https://a.test/1"), await publish(w, "https://a.test/2")];
    const kept = await publish(w, "https://a.test/3");
    const { body } = await cancel(w, `?messageIds=${ids.join(",")}&messageIds=none&label=other`);
    expect(body).toEqual({ cancelled: 2 });
    expect((await w.ask("GET", `/v2/messages/${kept}`)).status).toBe(200);
    expect((await w.ask("GET", `/v2/messages/${ids[0]}`)).status).toBe(404);
  });

  it("takes ids in a body, however many", async () => {
    const w = world();
    const items = Array.from({ length: 1100 }, (_, at) => ({
      destination: `https://a.test/${at}`,
      headers: { "upstash-delay": "1d" },
    }));
    const published = [...(await batch(w, items.slice(0, 600))), ...(await batch(w, items.slice(600)))];
    const messageIds = published.map(({ messageId }: { messageId: string }) => messageId);
    const body = JSON.stringify({ messageIds: [...messageIds.slice(0, 1050), "none"] });
    expect((await w.ask("DELETE", "/v2/messages", { body })).body).toEqual({ cancelled: 1050 });
    expect((await cancel(w)).body).toEqual({ cancelled: 50 });
  });

  it("takes back more than fit into one transaction", async () => {
    const w = world();
    const items = Array.from({ length: 1201 }, () => ({
      destination: "https://a.test/",
      headers: { "upstash-delay": "1d" },
    }));
    await batch(w, items.slice(0, 700));
    await batch(w, items.slice(700));
    expect((await cancel(w)).body).toEqual({ cancelled: 1201 });
    expect((await cancel(w)).body).toEqual({ cancelled: 0 });
    await w.drain();
    expect(w.calls).toEqual([]);
  });

  it("cancels the runs that it leaves with nothing to do", async () => {
    const w = world();
    await w.start("wfr_1", { ...later, [HEADER.label]: "l" });
    await w.start("wfr_2", later);
    expect((await cancel(w, "?label=l")).body).toEqual({ cancelled: 1 });
    expect((await w.run("wfr_1")).workflowState).toBe("RUN_CANCELED");
    expect((await w.run("wfr_2")).workflowState).toBe("RUN_STARTED");
    expect(w.events).toContainEqual({ type: "run.canceled", runId: "wfr_1", ms: expect.any(Number) });
  });

  it("leaves alone what was delivered, and what is in flight comes to nothing", async () => {
    let arrived = (): void => {};
    const w = world(({ url }) =>
      url.endsWith("slow")
        ? new Promise((resolve) => {
            arrived = () => resolve(new Response("", { status: 500 }));
          })
        : new Response(),
    );
    await w.ask("POST", "/v2/publish/https://a.test/done");
    await w.engine.idle();
    await w.ask("POST", "/v2/publish/https://a.test/slow");
    await until(() => w.calls.length === 2);
    expect((await cancel(w)).body).toEqual({ cancelled: 1 });
    arrived();
    await w.drain();
    expect(w.calls).toHaveLength(2);
    expect(await w.deadLetters()).toEqual([]);
  });

  it.each([
    ["?state=ACTIVE", "parameter state"],
    ["?nothing=1", "parameter nothing"],
    ["?messageIds=", "parameter messageIds"],
    ["?label=", "parameter label"],
    ["?label=%20", "parameter label"],
    ["?count=0", "parameter count"],
    ["?count=501", "parameter count"],
    ["?count=-1", "parameter count"],
    ["?count=many", "parameter count"],
    ["?fromDate=yesterday", "parameter fromDate"],
    ["?toDate=1.5", "parameter toDate"],
  ])("%s is refused, and nothing is taken back", async (query, error) => {
    const w = world();
    await publish(w, "https://a.test/");
    expect(await cancel(w, query)).toMatchObject({
      status: 400,
      body: { error: expect.stringContaining(error) },
    });
    expect(await left(w)).toHaveLength(1);
  });

  it.each(["{", "[]", "{}", '{"messageIds":"a"}', '{"messageIds":[]}', '{"messageIds":[1]}', "null"])(
    "with the body %s is refused, and nothing is taken back",
    async (body) => {
      const w = world();
      await publish(w, "https://a.test/");
      expect((await w.ask("DELETE", "/v2/messages", { body })).status).toBe(400);
      expect(await left(w)).toHaveLength(1);
    },
  );
});
