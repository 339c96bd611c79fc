import { DEV_CREDENTIALS, HEADER } from "@perdure/core/protocol";
import { afterEach, describe, expect, it } from "vitest";
import { ManualClock } from "../../src/rules/clock.ts";
import { EventStreams } from "../../src/watch/event-streams.ts";
import { NOT_AGAIN, ONCE } from "../failing.ts";
import {
  APP,
  failed,
  isFailure,
  ok,
  result,
  runIdOf,
  SDK,
  START,
  sequence,
  type World,
  world,
} from "../harness.ts";
import { callStep, isAnswer, THIRD, workflow } from "../steps.ts";

const CREDENTIALS = { token: "defaultToken" };

interface Event {
  readonly id: string | undefined;
  readonly event: string;
  readonly data: ReturnType<typeof JSON.parse>;
}

interface Stream {
  readonly status: number;
  readonly headers: Headers;
  /** The next part, with its comments left out. @throws Error at the end */
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
      const text = await part();
      if (text === undefined) throw new Error("The stream has ended.");
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

/** Reads until an event of each type has come. */
async function until(one: Stream, ...types: readonly string[]): Promise<Event[]> {
  const all: Event[] = [];
  const hasCome = (type: string): boolean => all.some(({ data }) => data.type === type);
  while (!types.every(hasCome)) all.push(...(await one.next()));
  return all;
}

const engine = (endpoint: Parameters<typeof world>[0] = sequence(1), options = {}): World =>
  world(endpoint, { token: [CREDENTIALS.token, DEV_CREDENTIALS.token], ...options });

const startRun = (w: World, id: string) =>
  w.engine.trigger({ url: "https://app.test/wf", workflowRunId: id, retries: 0 });

describe("the live stream", () => {
  it("tells what happens to runs and messages, without payloads", async () => {
    const w = engine(() => ok());
    const all = await stream(w);
    expect(all.headers.get("content-type")).toBe("text/event-stream");
    await w.engine.publish({ url: "https://a.test/x", body: "secret" });
    await startRun(w, "one");
    const events = await until(all, "run.started", "delivered");
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

  it("tells of a run that fails at the answer to a call, and of no run when the message of none fails", async () => {
    const asking = workflow(callStep());
    const w = engine((call, self) => {
      if (call.url === THIRD) return ok("fine");
      if (isFailure(call) || call.url !== APP) return isFailure(call) ? ok() : failed(489, "boom");
      return isAnswer(call) ? failed(489, "boom", NOT_AGAIN) : asking(call, self);
    });
    const all = await stream(w, "?event=run,message,dlq");
    await w.engine.publish({ url: "https://a.test/x", retries: 0 });
    const ofMessage = await until(all, "dlq.added");
    expect(ofMessage.filter(({ event }) => event === "run")).toEqual([]);
    await w.start("wfr_1");
    const events = await until(all, "run.failed");
    expect(events.filter(({ data }) => data.type === "failed")).toMatchObject([{ data: { kind: "answer" } }]);
    const ended = events.find(({ data }) => data.type === "run.failed");
    expect(ended?.data).toMatchObject({ workflowRunId: "wfr_1", error: "boom" });
    expect((await w.run("wfr_1")).workflowState).toBe("RUN_FAILED");
  });

  it("tells of a rollback whether it has undone its step, and of the error that kept it from that", async () => {
    const said = [
      {
        stepId: 2,
        stepName: "step2",
        stepType: "Run",
        state: "failed",
        attempts: 3,
        error: { error: "E", message: "stuck" },
      },
      { stepId: 1, stepName: "step1", stepType: "Run", state: "done", attempts: 1 },
    ];
    const reports = said.map((rollback) => ok(JSON.stringify({ rollback })));
    for (const { headers } of reports) headers.set(HEADER.rollback, "recorded");
    const w = engine(async (call, self) => {
      if (isFailure(call)) return reports.shift() ?? ok();
      if (call.headers.get(HEADER.init) !== "true") return failed(489, "boom", NOT_AGAIN);
      await self.append(runIdOf(call), [result(1, { rollback: true })]);
      return new Response("", { headers: { ...SDK, [HEADER.capabilities]: "1" } });
    });
    const runs = await stream(w, "?event=run");
    await w.start("wfr_1", ONCE);
    const told = (await until(runs, "failure.reported")).filter(
      ({ data }) => data.type === "step.rolledBack",
    );
    expect(told.map(({ data: { stepName, state, error } }) => ({ stepName, state, error }))).toEqual([
      { stepName: "step2", state: "failed", error: "stuck" },
      { stepName: "step1", state: "done", error: undefined },
    ]);
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
    await w.engine.idle();
    const some = await stream(w, "?event=run");
    await startRun(w, "b");
    const [first] = await until(some, "run.started");
    expect(first?.data.workflowRunId).toBe("wfr_b");
    expect(first?.id).toMatch(/\.1$/);
  });

  it("keeps 5000 changes for a slow reader, drops them when there are more, and says so", async () => {
    const streams = new EventStreams({ runFacts: async () => new Map() }, new ManualClock(START));
    const slow = streams.events({ events: ["queue"] });
    let last = 0;
    const publish = (count: number) => {
      for (const end = last + count; last < end; )
        streams.publish({ type: "object.changed", of: "queue", key: String(++last) });
    };
    const next = async (): Promise<unknown> => {
      const { value } = await slow.next();
      return value?.event === "reset" ? value.data.reason : value?.data.name;
    };
    publish(5000);
    for (let at = 1; at <= 5000; at++) expect(await next()).toBe(String(at));
    publish(5001);
    expect([await next(), await next()]).toEqual(["slow", "10001"]);
    await slow.return();
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
