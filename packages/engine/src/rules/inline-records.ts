import {
  type ErrorBody,
  type InlineAttempt,
  type InlineRecord,
  isPlan,
  keyOf,
  readFailure,
  recordKey,
  resultId,
  type StepKey,
  type StepRecord,
  type WaitBody,
} from "@perdure/core/protocol";
import { toBytes } from "./bytes.ts";
import type { StartCall } from "./call.ts";
import { parseCommand, type StartRun } from "./command.ts";
import { EngineError, invalid } from "./engine-error.ts";
import { toEventId } from "./field.ts";
import type { OptionLimits } from "./options.ts";
import { attemptKey } from "./step-attempt.ts";
import { type NewSleep, type NewWait, parseWait } from "./wait.ts";

/** A checked entry that an endpoint appends to the history of an inline run. */
export type NewInlineEntry =
  | ({ readonly kind: "result" } & NewRecord)
  | ({ readonly kind: "begin" } & NewRecord)
  | ({ readonly kind: "ask"; readonly ask: Ask } & NewRecord)
  | { readonly kind: "attempt"; readonly key: string; readonly attempt: InlineAttempt };

interface NewRecord {
  /** The record's key, unique within its run. */
  readonly key: string;
  readonly record: StepRecord;
  /** The record as it is stored. */
  readonly body: Uint8Array;
}

/** The engine's work for a step of an inline run. */
export type Ask =
  | { readonly kind: "call"; readonly call: StartCall }
  | { readonly kind: "invoke"; readonly start: StartRun }
  | { readonly kind: "wait"; readonly wait: NewWait }
  | { readonly kind: "sleep"; readonly sleep: NewSleep };

/** The run and the source of the records. */
export interface InlineOrigin {
  readonly runId: string;
  readonly callerIp: string;
  /** Milliseconds since 1970. */
  readonly now: number;
}

export interface InlineLimits extends OptionLimits {
  /** Records of one append. */
  readonly batchItems: number;
}

/**
 * Reads the records of one append, by hand: every step of an inline run passes here.
 *
 * @throws EngineError that names the field, or the limit
 */
export function readInlineRecords(
  values: unknown,
  origin: InlineOrigin,
  limits: InlineLimits,
): NewInlineEntry[] {
  return toList(values, limits).map((value, at) => readRecord(value, `records[${at}]`, { origin, limits }));
}

/**
 * The records in an answer. The endpoint can't send the answer again, so the engine keeps the records before
 * a refused one.
 */
export interface AnsweredRecords {
  readonly entries: readonly NewInlineEntry[];
  readonly refused?: RefusedRecord;
}

/** A record that the engine refuses, however often it is sent. */
export interface RefusedRecord {
  readonly record: StepRecord;
  readonly reason: string;
}

/** The engine refuses a record because of the state of the store: a run of this id is live, for example. */
export class RecordRefused extends EngineError {
  /** The record's key. */
  readonly key: string;
  readonly record: StepRecord;

  constructor({ key, record }: NewRecord, { code, message, facts }: EngineError) {
    super(code, message, facts);
    this.key = key;
    this.record = record;
  }
}

/** Reads records as {@link readInlineRecords} does, up to the first step whose record the engine refuses. */
export function readAnsweredRecords(
  values: unknown,
  origin: InlineOrigin,
  limits: InlineLimits,
): AnsweredRecords {
  const entries: NewInlineEntry[] = [];
  for (const [at, value] of toList(values, limits).entries()) {
    const field = `records[${at}]`;
    try {
      entries.push(readRecord(value, field, { origin, limits }));
    } catch (error) {
      if (!(error instanceof EngineError)) throw error;
      return {
        entries,
        refused: { record: readStepRecord(Object(value).record, field), reason: error.message },
      };
    }
  }
  return { entries };
}

function toList(values: unknown, limits: InlineLimits): readonly InlineRecord[] {
  if (!Array.isArray(values)) throw invalid("records", "expected a list");
  if (values.length > limits.batchItems) {
    throw new EngineError(
      "limit_reached",
      `an append has ${values.length} records, more than the limit of ${limits.batchItems} (limits.batchItems)`,
      { limit: limits.batchItems },
    );
  }
  return values;
}

interface Reading {
  readonly origin: InlineOrigin;
  readonly limits: InlineLimits;
}

function readRecord(value: InlineRecord, field: string, reading: Reading): NewInlineEntry {
  const { kind } = Object(value) as Partial<InlineRecord>;
  switch (kind) {
    case "result":
      return { kind, ...newRecord(resultIn(value, field), reading) };
    case "begin":
      return { kind, ...newRecord(planIn(value, field), reading) };
    case "ask": {
      const plan = newRecord(planIn(value, field), reading);
      return { kind, ...plan, ask: readAsk(value, plan.record, field, reading) };
    }
    case "attempt": {
      const attempt = readAttempt(value as InlineAttempt, field, reading.limits.retries);
      checkSize(JSON.stringify(attempt).length, attempt.step.name, reading.limits);
      return { kind, key: attemptKey(attempt.step, attempt.attempt), attempt };
    }
    default:
      throw invalid(`${field}.kind`, `expected result, ask, begin or attempt, got ${JSON.stringify(kind)}`);
  }
}

function resultIn(value: unknown, field: string): StepRecord {
  const record = readStepRecord(Object(value).record, `${field}.record`);
  if (!isPlan(record)) return record;
  throw invalid(`${field}.record`, "it is a plan, which has no result");
}

function planIn(value: unknown, field: string): StepRecord {
  const record = readStepRecord(Object(value).record, `${field}.record`);
  if (isPlan(record)) return record;
  throw invalid(`${field}.record`, "expected a plan, with stepId 0 and targetStep");
}

function newRecord(record: StepRecord, { limits }: Reading): NewRecord {
  const body = toBytes(JSON.stringify(record));
  checkSize(body.length, record.stepName, limits);
  return { key: recordKey(record), record, body };
}

function checkSize(
  bytes: number,
  step: string,
  { messageBytes = Number.POSITIVE_INFINITY }: OptionLimits,
): void {
  if (bytes <= messageBytes) return;
  throw new EngineError(
    "limit_reached",
    `the record of step "${step}" has ${bytes} bytes, more than the limit of ${messageBytes} (limits.messageBytes)`,
    { limit: messageBytes },
  );
}

/** More steps than any run has. */
const MAX_STEPS = 100_000;

/** The fields of a step record, and whether a record's value is possible there. */
const STEP_FIELDS: readonly (readonly [keyof StepRecord, (record: StepRecord) => boolean])[] = [
  ["stepId", ({ stepId }) => stepId === 0 || isCount(stepId, MAX_STEPS)],
  ["stepName", ({ stepName }) => typeof stepName === "string"],
  ["stepType", ({ stepType }) => typeof stepType === "string"],
  ["concurrent", ({ concurrent }) => concurrent === 1],
  ["targetStep", ({ stepId, targetStep }) => stepId !== 0 || isCount(targetStep, MAX_STEPS)],
  ["out", ({ out }) => out === undefined || typeof out === "string"],
  ["failure", ({ failure }) => failure === undefined || isFailure(failure)],
  ["nth", ({ nth }) => nth === undefined || isCount(nth, MAX_STEPS)],
  ["startedAt", ({ startedAt }) => startedAt === undefined || isTime(startedAt)],
  ["durationMs", ({ durationMs }) => durationMs === undefined || isTime(durationMs)],
];

function readStepRecord(value: unknown, field: string): StepRecord {
  const record = Object(value) as StepRecord;
  for (const [name, isPossible] of STEP_FIELDS) {
    if (!isPossible(record)) throw invalid(`${field}.${name}`, "a step record can't have this value here");
  }
  return record;
}

function isFailure(value: NonNullable<StepRecord["failure"]>): boolean {
  return isCount(value.attempts, MAX_STEPS) && toErrorBody(value.error) !== undefined;
}

/** Reads an error from its JSON; undefined when the value isn't one. */
function toErrorBody(value: unknown): ErrorBody | undefined {
  return readFailure(JSON.stringify(value ?? null), 0).thrown;
}

function isCount(value: unknown, most: number): value is number {
  return Number.isSafeInteger(value) && (value as number) > 0 && (value as number) <= most;
}

function isTime(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value) && value >= 0;
}

/** @throws EngineError `invalid_request` */
export function readStepKey(value: unknown, field: string): StepKey {
  const { name, type, nth } = Object(value) as StepKey;
  if (
    typeof name === "string" &&
    typeof type === "string" &&
    /^\w{1,64}$/.test(type) &&
    isCount(nth, MAX_STEPS)
  )
    return { name, type, nth };
  throw invalid(field, "expected a step's name, type and nth");
}

function readAttempt(value: InlineAttempt, field: string, mostRetries: number): InlineAttempt {
  const step = readStepKey(value.step, `${field}.step`);
  const { attempt, retries, delayMs, final } = value;
  const error = toErrorBody(value.error);
  if (!isCount(attempt, MAX_STEPS)) throw invalid(`${field}.attempt`, "expected a number from 1 on");
  if (!error) throw invalid(`${field}.error`, "expected an error, with a message");
  if (retries !== undefined && !(Number.isSafeInteger(retries) && retries >= 0))
    throw invalid(`${field}.retries`, "expected a whole number from 0 on");
  if (delayMs !== undefined && !isTime(delayMs))
    throw invalid(`${field}.delayMs`, "expected a number of milliseconds");
  return {
    kind: "attempt",
    step,
    attempt,
    error,
    ...(retries === undefined ? {} : { retries: Math.min(retries, mostRetries) }),
    ...(delayMs === undefined ? {} : { delayMs }),
    ...(final === true ? { final } : {}),
  };
}

function readAsk(value: unknown, plan: StepRecord, field: string, reading: Reading): Ask {
  const { message, wait, until, delayMs } = Object(value) as Record<string, unknown>;
  if (message !== undefined) return askOfMessage(message, plan, `${field}.message`, reading);
  if (wait !== undefined) return askOfWait(wait, plan, `${field}.wait`, reading);
  if (until !== undefined) return askOfSleep(until, plan, `${field}.until`, reading);
  if (!isTime(delayMs)) throw invalid(`${field}.delayMs`, "expected a number of milliseconds");
  return askOfSleep(reading.origin.now + delayMs, plan, `${field}.delayMs`, reading);
}

function askOfMessage(value: unknown, plan: StepRecord, field: string, { origin, limits }: Reading): Ask {
  const { destination, headers, body } = Object(value) as Record<string, unknown>;
  if (typeof destination !== "string") throw invalid(`${field}.destination`, "expected a url");
  if (body !== undefined && typeof body !== "string") throw invalid(`${field}.body`, "expected a string");
  const { callerIp, now, runId } = origin;
  const request = { destination, headers: toHeaders(headers, `${field}.headers`), body: toBytes(body ?? "") };
  const command = parseCommand({ ...request, callerIp, now }, limits);
  const id = resultId(plan);
  if (command.kind === "call") {
    requireOwn(command.runId === runId && command.key === keyOf("call", id), field);
    return { kind: "call", call: command };
  }
  if (command.kind === "start" && command.run.invoker) {
    const { invoker } = command.run;
    requireOwn(invoker.runId === runId && invoker.key === keyOf("result", id), field);
    return { kind: "invoke", start: command };
  }
  throw invalid(field, "expected a call, or the start of a run that the step invokes");
}

function askOfWait(value: unknown, plan: StepRecord, field: string, { origin, limits }: Reading): Ask {
  const { eventId, headers, body } = Object(value) as Record<string, unknown>;
  const { url, step, timeout } = Object(body) as Record<string, unknown>;
  if (typeof eventId !== "string") throw invalid(`${field}.eventId`, "expected a string");
  if (typeof url !== "string") throw invalid(`${field}.body.url`, "expected a url");
  if (typeof step !== "object" || step === null) throw invalid(`${field}.body.step`, "expected a step");
  if (typeof timeout !== "string" && typeof timeout !== "number")
    throw invalid(`${field}.body.timeout`, "expected a duration");
  const request = {
    ...origin,
    headers: toHeaders(headers, `${field}.headers`),
    body: body as EngineWaitBody,
  };
  const wait = parseWait(toEventId(eventId, `${field}.eventId`), request, limits);
  requireOwn(wait.runId === origin.runId && wait.key === keyOf("result", resultId(plan)), field);
  return { kind: "wait", wait };
}

type EngineWaitBody = WaitBody & Parameters<typeof parseWait>[1]["body"];

function askOfSleep(until: unknown, plan: StepRecord, field: string, { origin, limits }: Reading): Ask {
  if (!isTime(until)) throw invalid(field, "expected a time in milliseconds since 1970, a wait or a message");
  const { runId, now } = origin;
  const { delay: most = Number.POSITIVE_INFINITY } = limits;
  if (until - now > most) {
    throw new EngineError(
      "limit_reached",
      `step "${plan.stepName}" sleeps for ${(until - now) / 1000} s, more than the limit of ${most / 1000} s (limits.delay)`,
      { limit: most },
    );
  }
  const { targetStep: id = 0, ...fields } = plan;
  const step = { ...fields, stepId: id };
  return { kind: "sleep", sleep: { runId, key: keyOf("result", id), step, deadline: Math.ceil(until) } };
}

function requireOwn(holds: boolean, field: string): void {
  if (!holds) throw invalid(field, "it must belong to the same run and step as its record");
}

function toHeaders(value: unknown, field: string): Map<string, string> {
  if (typeof value !== "object" || value === null) throw invalid(field, "expected an object of strings");
  const headers = new Map<string, string>();
  for (const [name, text] of Object.entries(value)) {
    if (typeof text !== "string") throw invalid(`${field} ${name}`, "expected a string");
    headers.set(name.toLowerCase(), text);
  }
  return headers;
}
