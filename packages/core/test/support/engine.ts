import { base64, failureBody, failureHeaders, request, runHeaders } from "@perdure/test-support/delivery";
import type { Mode } from "@perdure/test-support/mode";
import type { BatchItem, Recorded, Recorder } from "@perdure/test-support/recorder";
import type { Handler } from "../../src/index.ts";
import {
  type AttemptEntry,
  type FailureDetails,
  type HistoryEntry,
  type InlineAnswer,
  type InlineAppend,
  type InlineAppends,
  type InlineAttempt,
  type InlineEnd,
  type InlineRecord,
  type RollbackRecord,
  readRollback,
  recordKey,
  type StepKey,
  type StepRecord,
} from "../../src/protocol/index.ts";
import { type Answer, answerOf } from "./fixture.ts";

/** What becomes of something that the run has asked the engine for. */
interface Asked {
  readonly id: number;
  readonly record: StepRecord;
  /** When time brings the result: virtual milliseconds. */
  readonly at: number;
  readonly eventId?: string;
}

/** Where an invocation dies. */
export type Crash =
  /** At the nth append of the run: before it is stored, or when it is stored and not answered. */
  | { readonly append: number; readonly stored: boolean }
  /** With the answer to the nth delivery. */
  | { readonly answer: number };

interface Due {
  /** The entries that the delivery shows. Undefined: all. */
  readonly upTo?: number;
  readonly messageId: string;
  retried: number;
  /** Real milliseconds since 1970. */
  readonly at: number;
}

/** How a run has ended. */
export interface RunEnd {
  readonly state: "succeeded" | "failed" | "canceled" | "stalled";
  readonly result?: unknown;
  /** The answer of the last attempt. */
  readonly answer: Answer | undefined;
  readonly deliveries: number;
}

/**
 * A small engine for one run, which keeps the rules of the protocol: positions, leases, attempts per step, one record for
 * each key. Waits are over as soon as nothing else can go on.
 */
export class TestEngine {
  readonly entries: HistoryEntry[] = [];
  readonly appends: InlineAppend[] = [];
  readonly answers: Answer[] = [];
  readonly rollbacks: RollbackRecord[] = [];
  /** The steps under way, as the last append has told. */
  underWay: readonly StepKey[] = [];
  deliveries = 0;
  retries = 3;
  /** Milliseconds before each retry. */
  retryDelayMs = 0;
  originalRunId: string | undefined;
  crash: Crash | undefined;
  /** The result of a call, as the protocol records it. */
  answerCall: (record: StepRecord) => unknown = () => ({ status: 200, header: {}, body: '"called"' });
  /** Called before each append is read. */
  onAppend: (append: InlineAppend, count: number) => unknown = () => {};
  state: RunEnd["state"] | undefined;
  readonly mode: Mode;
  readonly #createHandler: () => Handler;
  /** Of the process that serves the run: another one after a crash. */
  #handler: Handler;
  readonly #keys = new Map<string, number>();
  readonly #asked = new Map<number, Asked>();
  readonly #due: Due[] = [];
  #lease = 0;
  #holds = false;
  /** The invocation that appends under the lease. */
  #invocation: string | undefined;
  #result: string | undefined;
  #now = 0;
  #die: (() => void) | undefined;

  constructor(mode: Mode, recorder: Recorder, createHandler: () => Handler, payload: unknown = {}) {
    this.mode = mode;
    this.#createHandler = createHandler;
    this.#handler = createHandler();
    this.#add("init", JSON.stringify(payload), "step");
    this.#schedule();
    recorder.answer = (sent) => this.#serve(sent);
  }

  /** Records of steps, oldest first. */
  get records(): StepRecord[] {
    return this.entries.slice(1).flatMap((entry) => (entry.callType === "step" ? [decode(entry)] : []));
  }

  /** Names of the finished steps, in the order in which they were recorded. */
  get finished(): string[] {
    return this.records.filter(({ stepId }) => stepId > 0).map(({ stepName }) => stepName);
  }

  get attempts(): AttemptEntry[] {
    return this.entries.flatMap((entry) => (entry.callType === "attempt" ? [decode(entry)] : []));
  }

  /** Delivers until the run has ended. */
  async run(limit = 200): Promise<RunEnd> {
    let answer: Answer | undefined;
    while (!this.state) {
      const due = this.#due.shift();
      if (!due) {
        if (!this.#letTimePass()) this.state = "stalled";
        continue;
      }
      if (this.deliveries >= limit) throw new Error(`no end after ${limit} deliveries`);
      const wait = due.at - Date.now();
      if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
      answer = (await this.#deliver(due)) ?? answer;
    }
    const result = this.#result === undefined ? undefined : JSON.parse(this.#result);
    return { state: this.state, result, answer, deliveries: this.deliveries };
  }

  /** Records an event for whichever step waits for it. */
  notify(eventId: string, data: unknown): void {
    for (const asked of this.#asked.values())
      if (asked.eventId === eventId) this.#finishAsked(asked, { out: base64(JSON.stringify(data)) });
  }

  /** Cancels the run from outside. */
  cancel(): void {
    this.state = "canceled";
    this.#holds = false;
  }

  /** Delivers the run to another invocation, as an engine does that has lost the connection. */
  takeOver(): void {
    this.#lease++;
    this.#due.push({ messageId: "msg_wake", retried: 0, at: 0 });
  }

  /** Reports the end of the run until the endpoint has rolled everything back. @returns the last answer */
  async report(error: object = { error: "Error", message: "failed" }): Promise<Answer> {
    const details: FailureDetails = {
      history: this.entries,
      started: [],
      begun: this.underWay.length > 0,
      underWay: this.underWay,
      rollbacks: this.rollbacks,
    };
    const body = this.answers.at(-1)?.body ?? error;
    const json = failureBody({ body: base64(JSON.stringify(body)), perdure: details });
    const answer = await answerOf(
      this.#handler(request(json, failureHeaders({ "Perdure-Max-Retries": String(this.retries) }))),
    );
    const record = answer.body.rollback ? readRollback(JSON.stringify(answer.body)) : undefined;
    if (!record) return answer;
    this.rollbacks.push(record);
    return this.report(error);
  }

  #add(key: string, json: string, callType: HistoryEntry["callType"]): boolean {
    if (this.#keys.has(key)) return false;
    this.#keys.set(key, this.entries.length);
    this.entries.push({ messageId: `msg_${this.entries.length}`, body: base64(json), callType });
    return true;
  }

  #schedule(due: Partial<Due> = {}): void {
    const messageId = this.entries[(due.upTo ?? this.entries.length) - 1]?.messageId ?? "";
    this.#due.push({ messageId, retried: 0, at: 0, ...due });
  }

  /** A wake: one delivery for a run that has no holder. */
  #wake(at = 0): void {
    if (this.mode !== "inline" || this.#holds || this.state) return;
    const waiting = this.#due.splice(0);
    this.#schedule({
      ...waiting[0],
      messageId: "msg_wake",
      at: Math.min(at, ...waiting.map((due) => due.at)),
    });
  }

  /** Lets the next thing happen that only needs time. */
  #letTimePass(): boolean {
    const [next] = [...this.#asked.values()].sort((a, b) => a.at - b.at);
    if (!next) return false;
    this.#now = Math.max(this.#now, next.at);
    const { stepType } = next.record;
    if (stepType === "Call") this.#finishAsked(next, { out: JSON.stringify(this.answerCall(next.record)) });
    else if (stepType === "Invoke") this.#finishAsked(next, { out: JSON.stringify({ body: '"child"' }) });
    else if (stepType.startsWith("Wait")) this.#finishAsked(next, { waitTimeout: true });
    else this.#finishAsked(next, {});
    return true;
  }

  #finishAsked({ id, record }: Asked, result: Partial<StepRecord>): void {
    const { targetStep: _, ...rest } = record;
    this.#asked.delete(id);
    this.#record({ ...rest, stepId: id, ...result });
  }

  #record(record: StepRecord): void {
    if (!this.#add(recordKey(record), JSON.stringify(record), "step")) return;
    if (this.mode === "inline") this.#wake();
    else this.#schedule({ upTo: this.entries.length });
  }

  async #deliver(due: Due): Promise<Answer | undefined> {
    this.deliveries++;
    const lease = `lease_${++this.#lease}`;
    this.#holds = true;
    this.#invocation = undefined;
    const shown = this.mode === "inline" ? this.entries : this.entries.slice(0, due.upTo);
    const headers = runHeaders({
      "Upstash-Message-Id": due.messageId,
      "Upstash-Retried": String(due.retried),
      "Perdure-Max-Retries": String(this.retries),
      ...(this.mode === "inline" ? { "Perdure-Lease": lease } : {}),
      ...(this.originalRunId ? { "Perdure-Original-Run": this.originalRunId } : {}),
    });
    const dead = new Promise<undefined>((resolve) => {
      this.#die = () => resolve(undefined);
    });
    const answering = answerOf(this.#handler(request(JSON.stringify(shown), headers)));
    const given = await Promise.race([answering, dead]);
    const isLost = this.crash && "answer" in this.crash && this.crash.answer === this.deliveries;
    const answer = isLost ? undefined : given;
    this.#holds = false;
    if (!answer) this.#connectionLost(due);
    else {
      this.answers.push(answer);
      if (!this.state) this.#settle(answer, due);
    }
    return answer;
  }

  // One step under way: its attempt. Else the delivery's.
  #connectionLost(due: Due): void {
    const [step, ...others] = this.underWay;
    this.underWay = [];
    if (step && others.length === 0) {
      const attempt = this.#attemptsOf(step) + 1;
      const error = { error: "WorkflowError", message: "no answer" };
      this.#addAttempt({ kind: "attempt", step, attempt, error });
      this.#due.push({ ...due, retried: 0 });
    } else this.#due.push({ ...due, retried: due.retried + 1 });
  }

  #settle(answer: Answer, due: Due): void {
    const end = answer.body.perdure as InlineEnd | undefined;
    if (answer.headers.get("Perdure-Lease") && answer.status === 409) return;
    const before = this.entries.length;
    if (end) this.#store(end.records);
    if (answer.status !== 200) this.#fail(answer, due, end);
    else {
      this.underWay = [];
      if (end) this.#conclude(end, before);
    }
  }

  #conclude(end: InlineEnd, before: number): void {
    if (end.end === "returned") {
      this.state = "succeeded";
      this.#result = end.result;
    } else if (end.end === "continue" || before > end.after) this.#wake();
    else {
      const retries = this.#openRetries();
      if (retries.length > 0) this.#wake(Math.min(...retries));
    }
  }

  #openRetries(): number[] {
    const last = new Map(this.attempts.map((attempt) => [JSON.stringify(attempt.step), attempt]));
    const results = this.records.filter(({ stepId }) => stepId > 0);
    return [...last.values()].flatMap(({ step: { name, type, nth }, retryAt }) =>
      retryAt === undefined ||
      results.some((one) => one.stepName === name && one.stepType === type && (one.nth ?? 1) === nth)
        ? []
        : [retryAt],
    );
  }

  #fail(answer: Answer, due: Due, end: InlineEnd | undefined): void {
    const asked = answer.headers.get("Perdure-Max-Retries");
    const retries = asked === null ? this.retries : Number(asked);
    const after = answer.headers.get("Retry-After");
    const delayMs = after ? Number.parseFloat(after) * (after.endsWith("ms") ? 1 : 1000) : this.retryDelayMs;
    const final = answer.headers.has("Upstash-NonRetryable-Error");
    const progress = end !== undefined && end.records.length > 0;
    let retried = progress ? 0 : due.retried;
    if (end?.failed) {
      retried = this.#attemptsOf(end.failed);
      const { error, message } = answer.body as { error: string; message: string };
      this.#addAttempt({
        kind: "attempt",
        step: end.failed,
        attempt: retried + 1,
        error: { error, message },
        retries,
        delayMs,
        ...(final ? { final } : {}),
      });
    }
    if (final || retried >= retries) this.state = "failed";
    else this.#due.push({ ...due, retried: retried + 1, at: Date.now() + delayMs });
  }

  #attemptsOf({ name, type, nth }: StepKey): number {
    return this.attempts.filter(({ step }) => step.name === name && step.type === type && step.nth === nth)
      .length;
  }

  #addAttempt(attempt: InlineAttempt): Pick<AttemptEntry, "retryAt"> & { exhausted?: true } {
    const { step, attempt: number, retries = this.retries, delayMs = this.retryDelayMs, final } = attempt;
    const key = `attempt:${step.type}/${step.nth}/${number}/${step.name}`;
    const isOver = final || number > retries;
    const entry: AttemptEntry = isOver ? attempt : { ...attempt, retryAt: Date.now() + delayMs };
    this.#add(key, JSON.stringify(entry), "attempt");
    return isOver ? { exhausted: true } : { retryAt: entry.retryAt };
  }

  async #serve({
    method,
    path,
    body,
    headers,
  }: Recorded): Promise<{ status?: number; body?: unknown } | undefined> {
    if (path === "/v2/workflows/append") {
      const answers: InlineAnswer[] = [];
      for (const append of (JSON.parse(body) as InlineAppends).appends)
        answers.push(await this.#append(append));
      return { body: { appends: answers } };
    }
    if (method === "DELETE") {
      const lease = headers["perdure-lease"];
      if (lease && (lease !== `lease_${this.#lease}` || !this.#holds))
        return { status: 404, body: { error: "lost" } };
      if (this.state) return { status: 404, body: { error: "no such run" } };
      this.state = path.endsWith("cancel=true") ? "canceled" : "succeeded";
      this.#result = body || undefined;
      return {};
    }
    if (path === "/v2/batch") {
      for (const item of JSON.parse(body) as BatchItem[]) this.#publish(item);
      return undefined;
    }
    if (path.startsWith("/v2/wait/")) {
      const { step } = JSON.parse(body);
      this.#ask({ ...step, targetStep: step.stepId }, step.stepId, 1_000_000, path.slice("/v2/wait/".length));
      return {};
    }
    return undefined;
  }

  async #append(append: InlineAppend): Promise<InlineAnswer> {
    this.appends.push(append);
    const count = this.appends.length;
    await this.onAppend(append, count);
    const crash =
      this.crash && "append" in this.crash && this.crash.append === count ? this.crash : undefined;
    if (crash && !crash.stored) return this.#never();
    if (this.state) return { error: "run_over", state: this.state };
    if (append.lease !== `lease_${this.#lease}` || !this.#holds) return { error: "lease_lost" };
    this.#invocation ??= append.invocation;
    if (append.invocation !== this.#invocation) return { error: "lease_lost" };
    const decided = this.#store(append.records);
    this.underWay = append.underWay;
    if (crash) return this.#never();
    const places = append.records.map((record) => this.#keys.get(keyOf(record)));
    return {
      news: this.entries.slice(append.after).map((entry, at) => {
        const own = places.indexOf(append.after + at);
        return own < 0 ? { entry } : { own, ...decided[own] };
      }),
    };
  }

  #never(): Promise<never> {
    this.#handler = this.#createHandler();
    this.#die?.();
    return new Promise(() => {});
  }

  #store(records: readonly InlineRecord[]): (Pick<AttemptEntry, "retryAt"> | undefined)[] {
    return records.map((record) => {
      if (record.kind === "attempt") return this.#addAttempt(record);
      if (!this.#add(recordKey(record.record), JSON.stringify(record.record), "step")) return undefined;
      if (record.kind !== "ask") return undefined;
      const id = record.record.targetStep ?? 0;
      if ("delayMs" in record) this.#ask(record.record, id, record.delayMs);
      else if ("until" in record) this.#ask(record.record, id, record.until);
      else if ("wait" in record) this.#ask(record.record, id, 1_000_000, record.wait.eventId);
      else this.#ask(record.record, id, 100);
      return undefined;
    });
  }

  #ask(record: StepRecord, id: number, delayMs: number, eventId?: string): void {
    this.#asked.set(id, { id, record, at: this.#now + delayMs, ...(eventId ? { eventId } : {}) });
  }

  #publish({ headers, body }: BatchItem): void {
    if (headers["upstash-workflow-calltype"] === "toCallback") {
      const [stepId, stepName, concurrent] = ["stepid", "stepname", "concurrent"].map(
        (name) => headers[`upstash-callback-forward-upstash-workflow-${name}`] ?? "",
      );
      const record = { stepId: 0, stepName: decodeURIComponent(stepName ?? ""), stepType: "Call" } as const;
      this.#ask({ ...record, concurrent: Number(concurrent) }, Number(stepId), 100);
      // Time passes at once: the delivery of a sleep, or of its plan, isn't held back.
    } else this.#record(JSON.parse(body ?? ""));
  }
}

function decode(entry: HistoryEntry) {
  return JSON.parse(Buffer.from(entry.body, "base64").toString());
}

function keyOf(record: InlineRecord): string {
  if (record.kind !== "attempt") return recordKey(record.record);
  const { step, attempt } = record;
  return `attempt:${step.type}/${step.nth}/${attempt}/${step.name}`;
}
