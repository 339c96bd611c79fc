import { afterEach, describe, expect, it } from "vitest";
import { failed, isFailure, ok, sequence, type World, world } from "../harness.ts";

const CREDENTIALS = { token: "defaultToken" };

interface Event {
  readonly id: string | undefined;
  readonly event: string;
  readonly data: ReturnType<typeof JSON.parse>;
}

interface Stream {
  readonly status: number;
  readonly headers: Headers;
  /** The next part, with its comments left out. */
  next(): Promise<Event[]>;
  /** The next part as it came; undefined at the end. */
  part(): Promise<string | undefined>;
  close(): Promise<void>;
}

const open: Stream[] = [];
afterEach(async () => {
  for (const one of open.splice(0)) await one.close();
});

async function stream(w: World, query = "", headers: Record<string, string> = {}): Promise<Stream> {
  const response = await w.engine.fetch(
    new Request(`http://engine.test/v2/workflows/stream${query}`, {
      headers: { Authorization: `Bearer ${CREDENTIALS.token}`, ...headers },
    }),
  );
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  const part = async (): Promise<string | undefined> => {
    const { value } = await reader.read();
    return value && new TextDecoder().decode(value);
  };
  const self: Stream = {
    status: response.status,
    headers: response.headers,
    part,
    async next() {
      const text = (await part()) ?? "";
      const blocks = text.split("\n\n").filter((block) => block !== "" && !block.startsWith(":"));
      return blocks.map((block) => {
        const fields = new Map(
          block.split("\n").map((line) => line.split(/: (.*)/s).slice(0, 2) as [string, string]),
        );
        return {
          id: fields.get("id"),
          event: fields.get("event") ?? "",
          data: JSON.parse(fields.get("data") ?? "{}"),
        };
      });
    },
    close: () => reader.cancel(),
  };
  open.push(self);
  if (response.status === 200) expect(await part()).toBe(": open\n\n");
  return self;
}

/** Reads until an event of a type has come. */
async function until(one: Stream, type: string): Promise<Event[]> {
  const all: Event[] = [];
  while (!all.some(({ data }) => data.type === type)) all.push(...(await one.next()));
  return all;
}

const engine = (endpoint: Parameters<typeof world>[0] = sequence(1), options = {}): World =>
  world(endpoint, { token: [CREDENTIALS.token], ...options });

const startRun = (w: World, id: string) =>
  w.engine.trigger({ url: "https://app.test/wf", workflowRunId: id, retries: 0 });

describe("the live stream", () => {
  it("tells what happens to runs and messages, without payloads", async () => {
    const w = engine(() => ok());
    const all = await stream(w);
    expect(all.headers.get("content-type")).toBe("text/event-stream");
    await w.engine.publish({ url: "https://a.test/x", body: "secret" });
    await startRun(w, "one");
    const events = await until(all, "run.started");
    events.push(...(await until(all, "delivered")));
    expect(events.map(({ event, data }) => [event, data.type])).toEqual(
      expect.arrayContaining([
        ["run", "run.started"],
        ["message", "delivering"],
        ["message", "delivered"],
      ]),
    );
    expect(JSON.stringify(events)).not.toContain("secret");
  });

  it("tells of a failure: of its message, its run and its dead letter", async () => {
    const w = engine((call) => (isFailure(call) ? ok() : failed(489, "boom")));
    const runs = await stream(w, "?event=run,dlq");
    await startRun(w, "one");
    const events = await until(runs, "dlq.added");
    expect(events.map(({ data }) => data.type)).toEqual(["run.started", "run.failed", "dlq.added"]);
    const [letter] = (await w.engine.dlq.list()).messages;
    expect(events.at(-1)?.data.dlqId).toBe(letter?.dlqId);
  });

  it.each([
    ["?workflowRunId=wfr_b", "wfr_b"],
    ["?label=eu", "wfr_b"],
    ["?workflowUrl=https://app.test/other", "wfr_c"],
  ])("is filtered by %s", async (query, id) => {
    const w = engine(() => ok());
    const some = await stream(w, query);
    await startRun(w, "a");
    await w.engine.trigger({ url: "https://app.test/wf", workflowRunId: "b", label: "eu" });
    await w.engine.trigger({ url: "https://app.test/other", workflowRunId: "c" });
    const events = await until(some, "run.started");
    expect(new Set(events.map(({ data }) => data.workflowRunId))).toEqual(new Set([id]));
  });

  it("goes on behind the last event that a reader has received, and says when it can't", async () => {
    const w = engine(() => ok());
    const first = await stream(w, "?event=run");
    await startRun(w, "a");
    const [started] = await until(first, "run.started");
    await first.close();
    await startRun(w, "b");
    const second = await stream(w, "?event=run", { "Last-Event-ID": started?.id ?? "" });
    const missed = await until(second, "run.started");
    expect(missed.find(({ data }) => data.type === "run.started")?.data.workflowRunId).toBe("wfr_b");
    for (const id of ["00000000.1", "x", `${started?.id?.split(".")[0]}.999999`]) {
      const other = await stream(w, `?lastEventId=${id}`);
      expect(await other.next()).toEqual([{ id: undefined, event: "reset", data: { reason: "gap" } }]);
    }
  });

  it("keeps nothing before there is a reader, who could come back", async () => {
    const w = engine(() => ok());
    await startRun(w, "a");
    const some = await stream(w, "?event=run");
    await startRun(w, "b");
    const [first] = await until(some, "run.started");
    expect(first?.data.workflowRunId).toBe("wfr_b");
    expect(first?.id).toMatch(/\.1$/);
  });

  it("drops what a slow reader doesn't take, and says so", async () => {
    const w = engine(() => ok());
    const slow = await stream(w, "?event=queue");
    await w.engine.queues.upsert("q", { paused: true });
    // Each message has two events, and the engine keeps 5000 for a reader.
    for (let at = 0; at < 3; at++) {
      await w.engine.batch(Array.from({ length: 1000 }, () => ({ url: "https://a.test/x", headers: {} })));
    }
    await w.engine.idle();
    expect(await slow.next()).toEqual([{ id: undefined, event: "reset", data: { reason: "slow" } }]);
  });

  it("tells what a request has changed", async () => {
    const w = engine(() => ok());
    const objects = await stream(w, "?event=queue,flow,schedule");
    const token = CREDENTIALS.token;
    await w.ask("POST", "/v2/queues", { token, body: JSON.stringify({ queueName: "q" }) });
    await w.ask("POST", "/v2/queues/q/pause", { token });
    await w.ask("POST", "/v2/flowControl/k/pause", { token });
    const events = await objects.next();
    expect(events.map(({ event, data }) => [event, data.type, data.name ?? data.key])).toEqual([
      ["queue", "changed", undefined],
      ["queue", "changed", "q"],
      ["flow", "changed", "k"],
    ]);
  });

  it("sends a heartbeat, and ends when its time is over, or the engine stops", async () => {
    const w = engine(() => ok());
    const [timed, open] = [await stream(w, "?timeout=20s"), await stream(w)];
    const beat = open.part();
    const last = timed.part();
    await new Promise(setImmediate);
    w.clock.advance(15_000);
    expect([await beat, await last]).toEqual([": ping\n\n", ": ping\n\n"]);
    w.clock.advance(5000);
    expect(await timed.part()).toBeUndefined();
    const end = open.part();
    await w.engine.stop();
    expect(await end).toBeUndefined();
    expect((await w.ask("GET", "/v2/workflows/stream", { token: CREDENTIALS.token })).status).toBe(503);
  });

  it("is for read-only tokens, too; where payloads are hidden, without the texts of errors", async () => {
    const w = engine(() => failed(489, "a secret"), { readOnlyTokens: ["reads"], hidePayloads: true });
    const seen = await stream(w, "?event=run,dlq,message", { Authorization: "Bearer reads" });
    await startRun(w, "a");
    const events = await until(seen, "dlq.added");
    expect(JSON.stringify(events)).not.toContain("secret");
  });

  it("is refused without a token, and with a filter that it doesn't have", async () => {
    const w = engine(() => ok());
    expect((await w.ask("GET", "/v2/workflows/stream", { token: null })).status).toBe(401);
    const token = CREDENTIALS.token;
    expect((await w.ask("GET", "/v2/workflows/stream?event=step", { token })).status).toBe(400);
    expect((await w.ask("GET", "/v2/workflows/stream?timeout=9d", { token })).status).toBe(400);
  });
});
