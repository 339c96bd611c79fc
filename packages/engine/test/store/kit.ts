import { forCallback, forward, HEADER } from "@perdure/core/protocol";
import { afterEach, beforeEach } from "vitest";
import type { Store } from "../../src/commands/store.ts";
import { type Command, parseCommand, parseUrlGroupPublish } from "../../src/rules/command.ts";
import type { EngineEvent } from "../../src/rules/event.ts";
import type { Failure, Reply } from "../../src/rules/message.ts";
import type { PublishRequest } from "../../src/rules/new-message.ts";
import { type Options, readOptions } from "../../src/rules/options.ts";
import type { Settlement } from "../../src/rules/settlement.ts";
import type { UrlGroup } from "../../src/rules/url-group.ts";
import { type NewWait, parseWait } from "../../src/rules/wait.ts";
import type { Claim, Claims, Settled } from "../../src/store/claims.ts";
import type { Receipt } from "../../src/store/receipt.ts";
import type { EventNotification } from "../../src/store/waits.ts";
import { APP, ofRun, result, START } from "../harness.ts";

export const LEASE = 30_000;
const LIMITS = { retries: 999 };

export function reply(status: number, headers: Reply["headers"] = {}, body = ""): Reply {
  return { status, headers, body: new TextEncoder().encode(body) };
}

export function failure(at: number, body = "boom"): Failure {
  const answer = reply(500, { "x-a": ["1", "2"] }, body);
  return { at, error: "the endpoint answered 500", reply: answer, byEngine: false };
}

export function delivered(at: number): Settlement {
  return { kind: "delivered", reply: reply(200), stalled: failure(at, "stalled") };
}

function command(headers: Record<string, string>, body: string, now: number, destination: string): Command {
  const lower = Object.entries(headers).map(([key, value]) => [key.toLowerCase(), value] as const);
  const bytes = new TextEncoder().encode(body);
  const request = { destination, headers: new Map(lower), body: bytes, callerIp: "127.0.0.1", now };
  return parseCommand(request, LIMITS);
}

export function plain(headers: Record<string, string> = {}, now: number = START): Command {
  return command(headers, "", now, "https://a.test/");
}

/** Two messages with the same id were the same one. */
export function known(id: string, now: number = START): Command {
  return plain({ [HEADER.deduplicationId]: id }, now);
}

/** The messages to the endpoints of a group. */
export function grouped(urlGroup: UrlGroup, headers: Record<string, string> = {}): Command[] {
  const lower = Object.entries(headers).map(([key, value]) => [key.toLowerCase(), value] as const);
  const request = {
    destination: urlGroup.name,
    headers: new Map(lower),
    body: new Uint8Array(),
    callerIp: "::1",
  };
  return parseUrlGroupPublish({ ...request, now: START }, urlGroup, LIMITS);
}

/** A request for a schedule with the cron expression `* * * * *`, unless the headers say otherwise. */
export function schedule(
  id: string,
  headers: Record<string, string> = {},
  now: number = START,
): PublishRequest {
  const all = { [HEADER.cron]: "* * * * *", [HEADER.scheduleId]: id, ...headers };
  const lower = Object.entries(all).map(([key, value]) => [key.toLowerCase(), value] as const);
  const body = new TextEncoder().encode("tick");
  return { destination: "https://a.test/", headers: new Map(lower), body, callerIp: "::1", now };
}

export function start(id: string, headers: Record<string, string> = {}, now: number = START): Command {
  return command({ ...ofRun(id, "true"), ...headers }, "payload", now, APP);
}

export function append(id: string, step: number, headers: Record<string, string> = {}): Command {
  return command({ ...ofRun(id, "false"), ...headers }, JSON.stringify(result(step)), START, APP);
}

/** The plan of a member of a group of three. */
export function planned(
  id: string,
  targetStep: number,
  headers: Record<string, string> = {},
  rollback = false,
): Command {
  const step = { stepName: `step${targetStep}`, stepType: "Run", concurrent: 3 };
  const record = { stepId: 0, ...step, targetStep, ...(rollback ? { rollback } : {}) };
  return command({ ...ofRun(id, "false"), ...headers }, JSON.stringify(record), START, APP);
}

/** A run that `parent` invokes with its step 1. */
export function child(id: string, parent: string, more: Record<string, string> = {}): Command {
  const envelope = {
    headers: {},
    workflowRunId: parent,
    workflowUrl: APP,
    step: { stepId: 1, stepName: "step1", stepType: "Invoke", concurrent: 1 },
  };
  const headers = { ...ofRun(id, "true"), [HEADER.invoke]: "true", ...more };
  return command(headers, JSON.stringify(envelope), START, "https://app.test/child");
}

/** A call that is a run's step 1. */
export function call(runId: string, headers: Record<string, string> = {}): Command {
  const own = {
    [HEADER.runId]: runId,
    [HEADER.callType]: "toCallback",
    [HEADER.callback]: APP,
    [forCallback(forward(HEADER.stepId))]: "1",
  };
  return command({ ...own, ...headers }, "asked", START, "https://third.test/");
}

export function waitFor(runId: string, eventId: string, timeout = "1h", step = 1): NewWait {
  const body = {
    url: APP,
    timeout,
    step: { stepId: step, stepName: `step${step}`, stepType: "Wait", concurrent: 1 },
  };
  const headers = new Map([[HEADER.runId.toLowerCase(), runId]]);
  return parseWait(eventId, { headers, body, callerIp: "127.0.0.1", now: START }, LIMITS);
}

export function event(eventId: string, data: string, runId?: string): EventNotification {
  return { eventId, data: new TextEncoder().encode(data), runId };
}

export const NO_OPTIONS: Options = readOptions(new Map(), LIMITS);

type EventOf<Type extends EngineEvent["type"]> = Extract<EngineEvent, { readonly type: Type }>;

/** A store that is new for each test, and short forms of what tests do with it. */
export interface Kit {
  readonly store: Store;
  /** What the store said would come due. */
  readonly due: number[];
  /** The events of a type that transactions have recorded since it was last asked. */
  events<Type extends EngineEvent["type"]>(type: Type): EventOf<Type>[];
  /** The store, by whose clock it is `now` from here on. */
  at(now: number): Store;
  accept(...commands: Command[]): Promise<Receipt[]>;
  claim(now?: number, limit?: number): Promise<Claims>;
  claimOne(now?: number): Promise<Claim>;
  settle(one: Claim, settlement: Settlement, now?: number): Promise<Settled>;
  stateOf(id: string): Promise<string | undefined>;
  /** The records of a live run, behind its payload. */
  recordsOf(id: string): Promise<Record<string, unknown>[]>;
}

export function useStore(open: () => Promise<Store>): Kit {
  let store: Store;
  let due: number[] = [];
  let events: EngineEvent[] = [];
  let time: number;
  beforeEach(async () => {
    store = await open();
    [due, events, time] = [[], [], START];
    store.useClock(() => time);
    store.onDue((at) => due.push(at));
    store.onEvent((event) => events.push(event));
  });
  const at = (now: number): Store => {
    time = now;
    return store;
  };
  afterEach(() => store.close());
  const claim: Kit["claim"] = (now = START, limit = 10) => at(now).claim({ limit, leaseUntil: now + LEASE });
  return {
    get store() {
      return store;
    },
    get due() {
      return due;
    },
    events(type) {
      const taken = events.filter((event): event is EventOf<typeof type> => event.type === type);
      events = events.filter((event) => event.type !== type);
      return taken;
    },
    at,
    accept: (...commands) => at(commands[0]?.message.createdAt ?? time).accept(commands),
    claim,
    claimOne: async (now) => (await claim(now, 1)).claims[0] as Claim,
    settle: (one, settlement, now = START) => at(now).settle(one.lease, settlement),
    recordsOf: async (id) =>
      ((await store.history(id)) ?? [])
        .slice(1)
        .filter(({ callType }) => callType === "step")
        .map(({ body }) => JSON.parse(Buffer.from(body, "base64").toString())),
    stateOf: async (id) => (await store.runs({ ids: [id], count: 1 })).items[0]?.run.state,
  };
}
