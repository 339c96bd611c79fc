import { DEV_CREDENTIALS, HEADER, type HistoryEntry, type StepRecord } from "@perdure/core/protocol";
import { ON_POSTGRES } from "@perdure/test-support/mode";
import {
  createEngine,
  type Engine,
  type EngineEvent,
  type EngineOptions,
  fetchTransport,
  ManualClock,
} from "../src/index.ts";
import { onTestEnd, openTestStore, type TestStore } from "./stores.ts";

export const START = Date.UTC(2030, 0, 1);
export const APP = "https://app.test/wf";
/** A token of the engine's that isn't public. */
export const OWN_TOKEN = "a token of its own";
/** The error of an operation on something that isn't there. */
export const NOT_FOUND = { name: "EngineError", code: "not_found" };
export const SDK = { [HEADER.sdkVersion]: "1" };

/** A delivery, as the endpoint saw it. */
export interface Call {
  readonly url: string;
  readonly method: string;
  readonly headers: Headers;
  readonly text: string;
  readonly at: number;
}

export type Endpoint = (call: Call, world: World) => Response | Promise<Response>;

export interface Answer {
  readonly status: number;
  // The tests say what they expect of it.
  readonly body: ReturnType<typeof JSON.parse>;
  readonly headers: Headers;
}

export interface Ask {
  readonly headers?: Record<string, string>;
  readonly body?: string | Uint8Array<ArrayBuffer>;
  /** Sent as it is: without the engine's token when it is `null`. */
  readonly token?: string | null;
}

export interface World {
  readonly engine: Engine;
  readonly clock: ManualClock;
  readonly store: TestStore;
  readonly calls: Call[];
  /** What the engine told, but for the beginnings of deliveries. */
  readonly events: EngineEvent[];
  ask(method: string, path: string, ask?: Ask): Promise<Answer>;
  /** Creates a run as an SDK does. */
  start(runId: string, headers?: Record<string, string>, body?: string): Promise<Answer>;
  /** Appends records as an SDK does, in one batch. */
  append(runId: string, records: readonly StepRecord[], headers?: Record<string, string>): Promise<Answer>;
  end(runId: string, result?: string): Promise<Answer>;
  run(runId: string): Promise<Answer["body"]>;
  deadLetters(query?: string): Promise<Answer["body"][]>;
  /** Works off what is due, then moves to the next timer, until no timer is left or `until` has come. */
  drain(until?: number): Promise<void>;
}

export interface WorldOptions extends Partial<EngineOptions> {
  readonly file?: string;
  /** A store in place of one in {@link file}. */
  readonly opened?: TestStore;
}

/** An engine with a clock that stands still, and an endpoint in this process. */
export function world(
  endpoint: Endpoint = () => new Response("", { headers: SDK }),
  { file = ":memory:", opened, ...options }: WorldOptions = {},
): World {
  const clock = (options.clock as ManualClock | undefined) ?? new ManualClock(START);
  const store = opened ?? openTestStore({ file, now: () => clock.now() });
  const calls: Call[] = [];
  const events: EngineEvent[] = [];
  const engine = createEngine({
    token: [DEV_CREDENTIALS.token, OWN_TOKEN],
    signingKeys: { current: DEV_CREDENTIALS.currentSigningKey, next: DEV_CREDENTIALS.nextSigningKey },
    transport: fetchTransport(options.limits?.responseBytes ?? 1024 * 1024, async (request) => {
      const { url, method, headers } = request;
      const call = { url, method, headers, text: await request.text(), at: clock.now() };
      calls.push(call);
      return endpoint(call, self);
    }),
    onEvent: (event) => {
      if (event.type !== "delivering") events.push(event);
    },
    search: file === ":memory:" || ON_POSTGRES,
    ...options,
    store,
    clock,
  });
  const self: World = { engine, clock, store, calls, events, ...api(engine), ...time(engine, clock) };
  engine.start();
  // A database on a server outlives the test.
  if (ON_POSTGRES) {
    onTestEnd(async () => {
      await engine.stop({ deadline: 0 });
      await store.close();
    });
  }
  return self;
}

function api(engine: Engine): Omit<World, "engine" | "clock" | "store" | "calls" | "events" | "drain"> {
  const ask: World["ask"] = async (
    method,
    path,
    { headers = {}, body, token = DEV_CREDENTIALS.token } = {},
  ) => {
    const response = await engine.fetch(
      new Request(`http://engine.test${path}`, {
        method,
        headers: { ...(token === null ? {} : { Authorization: `Bearer ${token}` }), ...headers },
        ...(body === undefined ? {} : { body }),
      }),
    );
    const text = await response.text();
    return {
      status: response.status,
      body: /json/.test(response.headers.get("content-type") ?? "") ? JSON.parse(text) : text || undefined,
      headers: response.headers,
    };
  };
  const batch = (items: object[]): Promise<Answer> =>
    ask("POST", "/v2/batch", { body: JSON.stringify(items) });
  return {
    ask,
    start: (runId, headers = {}, body = '{"order":1}') =>
      batch([{ destination: APP, headers: { ...ofRun(runId, "true"), ...headers }, body }]),
    append: (runId, records, headers = {}) =>
      batch(
        records.map((record) => ({
          destination: APP,
          headers: { ...ofRun(runId, "false"), ...headers },
          body: JSON.stringify(record),
        })),
      ),
    end: (runId, result) =>
      ask("DELETE", `/v2/workflows/runs/${runId}?cancel=false`, result === undefined ? {} : { body: result }),
    run: async (runId) => (await ask("GET", `/v2/workflows/logs?workflowRunId=${runId}`)).body.runs[0],
    deadLetters: async (query = "") => (await ask("GET", `/v2/dlq${query}`)).body.messages,
  };
}

function time(engine: Engine, clock: ManualClock): Pick<World, "drain"> {
  return {
    async drain(until = Infinity) {
      for (;;) {
        await engine.idle();
        const next = clock.next();
        if (next === undefined || next > until) return;
        clock.advanceToNext();
      }
    },
  };
}

/** Lets the engine work until something has come about, without a wait in real time. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const began = performance.now();
  for (let turn = 0; !(await condition()); turn++) {
    // What is signed, is signed by other threads, which a busy machine may have wait.
    if (turn > 20_000 && performance.now() - began > 60_000) throw new TypeError("It didn't come about.");
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** Sweeps what is only kept to be looked at, as if it were `now`. */
export async function forget({ store }: World, now: number): Promise<void> {
  await store.sweep({ messages: now, logs: now, dlq: 0, runs: 0, now }, 1000);
}

export function ofRun(runId: string, init: "true" | "false"): Record<string, string> {
  return {
    [HEADER.runId]: runId,
    [HEADER.init]: init,
    [HEADER.workflowUrl]: APP,
    [HEADER.featureSet]: "LazyFetch,InitialBody,WF_DetectTrigger,WF_TriggerOnConfig",
    [HEADER.sdkVersion]: "1",
    [`Upstash-Forward-${HEADER.sdkVersion}`]: "1",
  };
}

export function historyOf(call: Call): HistoryEntry[] {
  return JSON.parse(call.text);
}

export function decode(base64: string): string {
  return Buffer.from(base64, "base64").toString();
}

export function runIdOf(call: Call): string {
  return call.headers.get(HEADER.runId) ?? "";
}

export function isFailure(call: Call): boolean {
  return call.headers.get(HEADER.isFailure) === "true";
}

export function result(stepId: number, more: Partial<StepRecord> = {}): StepRecord {
  return { stepId, stepName: `step${stepId}`, stepType: "Run", concurrent: 1, out: `"r${stepId}"`, ...more };
}

export function ok(body = ""): Response {
  return new Response(body, { headers: SDK });
}

export function failed(status: number, message: string, headers: Record<string, string> = {}): Response {
  return new Response(JSON.stringify({ error: "Error", message }), {
    status,
    headers: { ...SDK, ...headers },
  });
}

/** A workflow of `count` steps in a row. It takes failures as `onFailure` says. */
export function sequence(count: number, onFailure: Endpoint = () => ok("{}")): Endpoint {
  return async (call, self) => {
    if (isFailure(call)) return onFailure(call, self);
    const done = historyOf(call).length - 1;
    if (done < count) await self.append(runIdOf(call), [result(done + 1)]);
    else await self.end(runIdOf(call), '"all done"');
    return ok();
  };
}
