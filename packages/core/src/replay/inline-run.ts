import type { AttemptEntry } from "../protocol/attempt.ts";
import type { FailedStep } from "../protocol/error.ts";
import { toError, toErrorBody } from "../protocol/error.ts";
import { type HistoryEntry, recordIn } from "../protocol/history.ts";
import type { InlineNews } from "../protocol/inline.ts";
import type { FailedAttempt, RetryDecision } from "../protocol/outcome.ts";
import { isPlan, resultId, type StepRecord } from "../protocol/step.ts";
import { type Step, serialize } from "../steps/index.ts";
import { toMilliseconds } from "../util/duration.ts";
import { isRetryAfter, WorkflowStepInterrupted } from "../util/errors.ts";
import type { Scope } from "../util/scope.ts";
import { now } from "../util/test-host.ts";
import { MAX_TIMER_MS } from "../util/timeout.ts";
import type { InlineInvocation, InlineOutcome, InlineResult } from "./inline-invocation.ts";
import {
  idOf,
  type Line,
  planOf,
  recordsOf,
  refusedAppend,
  refusedRecord,
  resultOf,
} from "./inline-journal.ts";
import {
  decideStepRetry,
  failurePlace,
  isCatchable,
  mismatched,
  mismatchTimeoutMs,
  nestedStep,
  platformScope,
  recordOf,
} from "./invocation.ts";
import { performStep, StepExecution } from "./step-execution.ts";
import { newEntry, type StepEntry, toFailedStep } from "./step-history.ts";
import { keyText, type PendingStep, StepMatcher } from "./step-matcher.ts";

/** Characters of records, and of a result, that an answer carries. More are appended before it. */
export const MAX_ANSWER_LENGTH: number = 128 * 1024;

/** Replays the recorded steps, runs new ones, and returns the end of the invocation. */
export function runInline(invocation: InlineInvocation): Promise<InlineResult> {
  return new Promise((end) => new InlineRun(invocation, end).start());
}

/**
 * One invocation. Each time that the workflow is idle, it appends the outcomes of the steps so far, requests
 * the engine's steps from the engine, and begins the others. So a step's work begins only when everything
 * before it is on disk, and each branch runs at its own pace. The records of a last step travel with the
 * answer.
 */
class InlineRun {
  readonly #invocation: InlineInvocation;
  readonly #scope: Scope;
  readonly #end: (result: InlineResult) => void;
  readonly #matcher: StepMatcher;
  readonly #startedAt = now();
  /** Steps that the endpoint does, or asks the engine for, as soon as it can. */
  readonly #waiting = new Set<PendingStep>();
  readonly #underWay = new Set<StepExecution>();
  /** Steps that the engine does, by the ids of their results. */
  readonly #requested = new Map<number, StepEntry>();
  /** The last failed attempt of each step that has failed. */
  readonly #attempts = new Map<string, Omit<AttemptEntry, "kind">>();
  readonly #rolledBack: number[];
  readonly #journal: Line[] = [];
  #nextId: number;
  #known: number;
  /** Steps whose work this invocation has begun. */
  #begun = 0;
  #appended = false;
  /** The current append, or the work before it. */
  #busy = false;
  /** The workflow's outcome, while steps remain to be requested or run. */
  #outcome: Extract<InlineOutcome, { kind: "returned" | "threw" }> | undefined;
  /** The invocation's end, once no step is running. No further step begins. */
  #closing: InlineOutcome | undefined;
  #ended = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(invocation: InlineInvocation, end: (result: InlineResult) => void) {
    const { history, attempts, known } = invocation;
    this.#invocation = invocation;
    this.#scope = invocation.scope ?? platformScope;
    this.#end = end;
    this.#nextId = history.nextId;
    this.#rolledBack = [...history.rolledBack];
    this.#known = known;
    for (const attempt of attempts) this.#attempts.set(keyText(attempt.step), attempt);
    for (const entry of history.entries) if (!entry.result) this.#requested.set(entry.id, entry);
    this.#matcher = new StepMatcher(history, {
      idle: () => this.#onIdle(),
      unreadable: (error, entry) => this.#close({ kind: "threw", error, step: toFailedStep(entry) }),
    });
  }

  async start(): Promise<void> {
    const { start, signal, history } = this.#invocation;
    signal?.addEventListener("abort", () => this.#close({ kind: "lost", reason: "lease_lost" }));
    try {
      const result = await start({ request: (step) => this.#request(step), cancel: () => this.#cancel() });
      this.#outcome ??= { kind: "returned", result, json: serialize(result, "The workflow's result") };
    } catch (error) {
      const where = this.#matcher.matched.size > 0 ? "after-last-step" : failurePlace(history);
      this.#outcome ??= { kind: "threw", error, where };
    }
    this.#matcher.watch();
  }

  #request<Result>(step: Step<Result>): Promise<Result> {
    const result = new Promise<Result>((resolve, reject) => {
      const outer = this.#scope.getStore();
      if (this.#ended) return;
      if (outer instanceof StepExecution && outer.invocation === this) return this.#refuseNested(step, outer);
      const pending = this.#matcher.request({ step, resolve: resolve as PendingStep["resolve"], reject });
      // The plan of an endpoint's step records that the step has begun.
      if (!pending.entry || (step.perform && !pending.entry.result)) this.#waiting.add(pending);
    });
    // A failed step that the workflow doesn't await must not end the process as an unhandled rejection.
    result.catch(() => {});
    return result;
  }

  #refuseNested(inner: Step, outer: StepExecution): void {
    const place = this.#placeOf(outer.step);
    const error = nestedStep(inner, place);
    if (this.#underWay.has(outer)) this.#failed(outer, error);
    else this.#close({ kind: "threw", error, step: place, failed: outer.step.key });
  }

  // Ends the run even from within a step's work, which then never settles.
  #cancel(): Promise<never> {
    this.#close({ kind: "canceled" });
    return new Promise(() => {});
  }

  /** Begins no further steps, and ends the invocation once the running ones have ended. */
  #close(outcome: InlineOutcome): void {
    const { kind } = this.#closing ?? {};
    // The engine may refuse the last append of an invocation that rests.
    const isOpen = kind === undefined || kind === "continue" || kind === "parked";
    if (isOpen || outcome.kind === "lost") {
      this.#closing = outcome;
      if (outcome.kind !== "continue") for (const work of this.#underWay) work.abort();
    }
    // The step that has ended may be the last one for which the invocation's end waits.
    this.#matcher.watch();
  }

  #onIdle(): void {
    clearTimeout(this.#timer);
    if (this.#ended || this.#busy) return;
    const closing = this.#closing;
    const idle = this.#underWay.size === 0;
    if (closing) {
      if (idle || closing.kind === "canceled") void this.#finish(closing);
      return;
    }
    const { newSteps, missing } = this.#matcher;
    const outcome = this.#outcome;
    if (missing.length > 0) this.#awaitRequests(missing);
    else if (outcome && idle && (outcome.kind === "threw" || newSteps.size === 0)) void this.#finish(outcome);
    // A workflow that has thrown starts no new step.
    else void this.#advance(outcome?.kind === "threw" ? [] : this.#dueSteps());
  }

  // A branch may be waiting for something of its own before it requests a recorded step. If not, the code has
  // changed.
  #awaitRequests(missing: readonly StepEntry[]): void {
    const { newSteps, pending } = this.#matcher;
    const { attempt } = this.#invocation;
    const outcome = this.#outcome;
    // Without a pending step, the workflow awaits something of its own.
    if (!outcome && pending === 0) return;
    const close = () => this.#close(mismatched(missing, newSteps, outcome, attempt));
    this.#timer = setTimeout(close, mismatchTimeoutMs());
  }

  /** Returns the steps that can begin now. */
  #dueSteps(): PendingStep[] {
    const time = now();
    return [...this.#waiting].filter((step) => this.#retryAt(step) <= time);
  }

  async #advance(due: readonly PendingStep[]): Promise<void> {
    const { maxDuration, maxSteps } = this.#invocation.limits;
    const isOver = this.#begun >= maxSteps || now() - this.#startedAt >= maxDuration;
    // Each invocation begins at least one step, however long its replay takes.
    if (due.length > 0 && this.#begun > 0 && isOver) return this.#close({ kind: "continue" });
    if (due.length === 0 && !this.#journal.some(({ awaited }) => awaited)) return this.#rest();
    this.#busy = true;
    const steps = await this.#prepare(due);
    if (!this.#closing && (await this.#tell(steps)))
      for (const step of this.#closing ? [] : steps) void this.#begin(step);
    this.#busy = false;
    this.#matcher.watch();
  }

  /** No step can begin: ends the invocation, unless work is still in progress. */
  async #rest(): Promise<void> {
    const { maxWait } = this.#invocation.limits;
    const isIdle = this.#underWay.size === 0;
    const wait = Math.min(...[...this.#waiting].map((step) => this.#retryAt(step))) - now();
    if (wait <= (isIdle ? maxWait : MAX_TIMER_MS)) this.#timer = setTimeout(() => this.#onIdle(), wait);
    else if (isIdle && this.#unrequested.length > 0) this.#awaitRequests(this.#unrequested);
    else if (isIdle && this.#matcher.pending > 0) await this.#finish({ kind: "parked" });
  }

  /** The steps that an earlier invocation tried and this one hasn't requested yet: the run isn't at rest. */
  get #unrequested(): StepEntry[] {
    const tried = [...this.#attempts.values()].map(({ step }) => step);
    return tried
      .filter((step) => !this.#matcher.knows(step))
      .map(({ name, type, nth }) =>
        newEntry({ stepId: this.#nextId, stepName: name, stepType: type, concurrent: 1, nth }),
      );
  }

  /**
   * Adds to the journal the records that precede the steps, and the requests to the engine.
   *
   * @returns the steps to begin
   */
  async #prepare(due: readonly PendingStep[]): Promise<PendingStep[]> {
    const { beforeStep, limits } = this.#invocation;
    const steps: PendingStep[] = [];
    for (const pending of due) {
      const { step, entry } = pending;
      const exhausted = this.#lastAttempt(pending);
      if (step.perform && !entry && this.#begun + steps.length >= limits.maxSteps) continue;
      this.#waiting.delete(pending);
      if (entry) this.#failedForGood(pending, new WorkflowStepInterrupted(step.name), 1);
      else if (exhausted && exhausted.retryAt === undefined)
        this.#failedForGood(pending, toError(exhausted.error), exhausted.attempt);
      else {
        if (beforeStep) await beforeStep(step);
        if (step.perform) steps.push(pending);
        else this.#ask(pending);
      }
      if (this.#closing) return [];
    }
    for (const pending of steps) if (pending.step.options?.atMostOnce) this.#recordBegin(pending);
    return steps;
  }

  #ask(step: PendingStep): void {
    const id = this.#takeId();
    const record = planOf(step, id);
    const entry = newEntry(record);
    const stored = () => {
      this.#requested.set(id, entry);
      this.#matcher.record(step, entry);
    };
    try {
      const request = this.#invocation.toAsk(step.step, id);
      this.#journal.push({ record: { kind: "ask", record, ...request }, step, awaited: true, stored });
    } catch (error) {
      this.#rolledBack.unshift(id);
      this.#close({ kind: "threw", error, step: this.#placeOf(step, id), failed: step.key });
    }
  }

  #recordBegin(step: PendingStep): void {
    const record = planOf(step, this.#takeId());
    const stored = () => this.#matcher.record(step, newEntry(record));
    this.#journal.push({ record: { kind: "begin", record }, step, awaited: true, stored });
  }

  /** Appends what must be on disk before the steps begin. @returns whether they may */
  #tell(steps: readonly PendingStep[]): boolean | Promise<boolean> {
    const total = this.#underWay.size + steps.length;
    const undoable = steps.some(({ step }) => step.options?.rollback);
    const unknown = (total > 1 && !this.#appended) || (undoable && (this.#begun > 0 || total > 1));
    const isNeeded = unknown || this.#journal.some(({ awaited }) => awaited || steps.length > 0);
    if (!isNeeded) return true;
    const nothingBegins =
      total === 0 && !this.#outcome && this.#waiting.size + this.#unrequested.length === 0;
    // With nothing else to do, the requests to the engine travel with the answer.
    if (nothingBegins && this.#journal.every(({ record, awaited }) => record.kind === "ask" || !awaited)) {
      this.#close({ kind: "parked" });
      return false;
    }
    return this.#flush(steps);
  }

  /** Appends the journal. @returns false when the invocation must not go on */
  async #flush(steps: readonly PendingStep[] = []): Promise<boolean> {
    const lines = this.#journal.splice(0);
    try {
      return await this.#append(lines, steps);
    } catch (error) {
      this.#journal.unshift(...lines);
      this.#withoutAppends(error, steps);
      return false;
    }
  }

  // The answer to the delivery takes the place of the append: the engine goes on with a delivery.
  #withoutAppends(error: unknown, steps: readonly PendingStep[]): void {
    const begins = this.#journal.filter(({ record }) => record.kind === "begin");
    for (const line of begins) {
      this.#journal.splice(this.#journal.indexOf(line), 1);
      this.#rolledBack.unshift(idOf(line) as number);
    }
    const [first] = steps;
    if (this.#journal.length > 0 || this.#begun > 0 || !first) this.#close({ kind: "continue" });
    else if (begins.length > 0) this.#close({ kind: "threw", error, where: "replay" });
    else {
      // As without inline execution, a single step needs no record before it.
      void this.#begin(first);
      this.#close({ kind: "continue" });
    }
  }

  /** @returns false when the invocation must not go on */
  async #append(lines: readonly Line[], steps: readonly PendingStep[]): Promise<boolean> {
    const { append, lease, id } = this.#invocation;
    const answer = await append({
      lease,
      invocation: id,
      after: this.#known,
      records: recordsOf(lines),
      underWay: [...[...this.#underWay].map(({ step }) => step), ...steps].map(({ key }) => key),
    });
    this.#appended = true;
    if ("news" in answer) {
      const stored = answer.news.filter((news) => "own" in news).length;
      // Another process serves the run without inline execution, and has recorded one of these steps.
      if (stored < lines.length) {
        this.#close({ kind: "lost", reason: "lease_lost" });
        return false;
      }
      for (const news of answer.news) this.#applyNews(news, lines);
      await this.#invocation.recorded?.(lines.flatMap(resultOf));
      return true;
    }
    if (answer.error !== "refused") {
      this.#close({ kind: "lost", reason: answer.error });
      return false;
    }
    const [line] = lines;
    if (lines.length > 1) {
      // Append each record alone, so that only the refused one fails.
      for (const each of lines) if (!(await this.#append([each], steps))) return false;
      return true;
    }
    // The engine refuses an append without records, too, when its lease or its steps can't be read.
    const error = line ? refusedRecord(line, answer.message) : refusedAppend(answer.message);
    const place = line && { step: this.#placeOf(line.step, idOf(line)), failed: line.step.key };
    this.#close({ kind: "threw", error, ...place });
    return false;
  }

  #applyNews(news: InlineNews, lines: readonly Line[]): void {
    this.#known++;
    if ("own" in news) lines[news.own]?.stored(news);
    else this.#receiveEntry(news.entry);
  }

  #receiveEntry(entry: HistoryEntry): void {
    const record = recordIn(entry);
    const requested = record && !isPlan(record) && this.#requested.get(resultId(record));
    if (!requested) return;
    this.#invocation.onResult(record);
    this.#requested.delete(requested.id);
    this.#matcher.finish(requested, record);
  }

  async #begin(pending: PendingStep): Promise<void> {
    const { originalRunId } = this.#invocation;
    const work = new StepExecution(pending, this, this.#retried(pending) + 1, originalRunId);
    work.parallel = this.#matcher.pending > 1;
    this.#underWay.add(work);
    this.#begun++;
    try {
      const out = await this.#scope.run(work, () => performStep(this.#invocation, work));
      if (this.#underWay.delete(work)) this.#complete(pending, { out }, work);
    } catch (error) {
      this.#failed(work, error);
    }
  }

  #complete(
    pending: PendingStep,
    outcome: Pick<StepRecord, "out" | "failure">,
    { startedAt = now(), parallel }: Partial<Pick<StepExecution, "startedAt" | "parallel">> = {},
  ): void {
    const { step, key } = pending;
    const record: StepRecord = {
      stepId: pending.entry?.id ?? this.#takeId(),
      ...recordOf(step),
      ...outcome,
      concurrent: 1,
      nth: key.nth > 1 ? key.nth : undefined,
      startedAt,
      durationMs: now() - startedAt,
      ...(parallel || this.#matcher.pending > 1 ? { parallel: true } : {}),
    };
    const handOver = () => {
      const entry = pending.entry ?? newEntry(record);
      this.#matcher.record(pending, entry);
      this.#matcher.finish(entry, record);
    };
    // No other record can precede this one, so the workflow continues before the engine has stored it.
    const isAlone = this.#matcher.pending === 1 && !this.#closing;
    if (isAlone) handOver();
    this.#journal.push({
      record: { kind: "result", record },
      step: pending,
      awaited: !isAlone,
      stored: () => isAlone || handOver(),
    });
    this.#matcher.watch();
  }

  #failed(work: StepExecution, thrown: unknown): void {
    if (!this.#underWay.delete(work) || this.#ended) return;
    const { step: pending, attempt } = work;
    const { maxRetries } = this.#invocation.attempt;
    const catchable = isCatchable(pending.step, this.#invocation);
    let error = thrown;
    let retry: RetryDecision | undefined;
    try {
      retry = decideStepRetry(pending.step, error, { retried: attempt - 1, maxRetries }, catchable);
    } catch (misuse) {
      // The user's own `retryDelay` has thrown.
      error = misuse;
    }
    const failure = { error, step: this.#placeOf(pending), retry, attempt };
    if (retry?.exhausted) this.#failedForGood(pending, error, attempt);
    else if (this.#matcher.pending === 1) this.#close({ kind: "threw", ...failure, failed: pending.key });
    else this.#recordAttempt(pending, failure);
  }

  /** Records a failed attempt: the engine decides when to retry the step, while others go on. */
  #recordAttempt(step: PendingStep, failure: FailedAttempt & { readonly attempt: number }): void {
    const { attempt, error, retry } = failure;
    const failed = { step: step.key, attempt, error: toErrorBody(error, this.#invocation.withStack) };
    void this.#invocation.attemptFailed(failure);
    this.#journal.push({
      record: {
        kind: "attempt",
        ...failed,
        retries: retry?.retries,
        delayMs: isRetryAfter(error) ? toMilliseconds(error.retryAfter, "retryAfter") : retry?.delayMs,
      },
      step,
      awaited: true,
      stored: ({ retryAt, exhausted }) => {
        this.#attempts.set(keyText(step.key), { ...failed, retryAt });
        if (exhausted) this.#failedForGood(step, error, attempt);
        else this.#waiting.add(step);
      },
    });
    this.#matcher.watch();
  }

  /** Ends a step without a further retry: the workflow catches its failure, or the run fails. */
  #failedForGood(step: PendingStep, error: unknown, attempt: number): void {
    const { withStack } = this.#invocation;
    if (isCatchable(step.step, this.#invocation)) {
      const failure = { attempts: attempt, error: toErrorBody(error, withStack) };
      this.#complete(step, { failure });
    } else {
      const retry = { exhausted: true };
      this.#close({ kind: "threw", error, step: this.#placeOf(step), retry, failed: step.key, attempt });
    }
  }

  async #finish(outcome: InlineOutcome): Promise<void> {
    this.#ended = true;
    this.#matcher.stop();
    const { kind } = outcome;
    const count = this.#journal.length;
    const known = this.#known + count;
    const json = (kind === "returned" && outcome.json) || "";
    const isTooLong = json.length + JSON.stringify(recordsOf(this.#journal)).length > MAX_ANSWER_LENGTH;
    // A run that is cancelled is over before its answer is read.
    const mustAppend = kind === "canceled" ? count + this.#underWay.size : isTooLong && count;
    if (kind !== "lost" && mustAppend) await this.#flush();
    // The append may have shown that the run is lost, or that a record can't be accepted.
    const closing = this.#closing;
    let last = closing && closing.kind !== "continue" ? closing : outcome;
    // The append has brought entries of others. They wake nobody any more: the engine takes this invocation to know them.
    if (last.kind === "parked" && this.#known > known) last = { kind: "continue" };
    const lines = last.kind === "lost" ? [] : this.#journal;
    await this.#invocation.recorded?.(lines.flatMap(resultOf));
    this.#end({ ...last, after: this.#known, records: recordsOf(lines) });
  }

  #takeId(): number {
    return this.#rolledBack.shift() ?? this.#nextId++;
  }

  #placeOf({ entry, step }: PendingStep, id?: number): FailedStep {
    const { name, type, options } = step;
    const rollback = options?.rollback && true;
    return { id: id ?? entry?.id ?? this.#rolledBack[0] ?? this.#nextId, name, type, rollback };
  }

  #lastAttempt({ key }: PendingStep): Omit<AttemptEntry, "kind"> | undefined {
    return this.#attempts.get(keyText(key));
  }

  /** Returns the time at which the step may be retried. */
  #retryAt(step: PendingStep): number {
    const retryAt = this.#lastAttempt(step)?.retryAt;
    return retryAt === undefined ? 0 : retryAt - this.#invocation.engineAheadMs;
  }

  // A step that begins alone may be the step that an earlier attempt was running when it ended without an
  // answer.
  #retried(step: PendingStep): number {
    const recorded = this.#lastAttempt(step)?.attempt ?? 0;
    const isFirst = this.#begun === 0 && this.#matcher.newSteps.size === 1;
    return isFirst ? Math.max(recorded, this.#invocation.attempt.retried) : recorded;
  }
}
