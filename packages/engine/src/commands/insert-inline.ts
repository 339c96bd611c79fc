import { type AttemptEntry, type InlineNews, newMessageId, type StepRecord } from "@perdure/core/protocol";
import { toBytes } from "../rules/bytes.ts";
import { EngineError, invalid } from "../rules/engine-error.ts";
import { excerptOf } from "../rules/event.ts";
import { type NewInlineEntry, RecordRefused } from "../rules/inline-records.ts";
import { isRefusal } from "../rules/invocation.ts";
import { DEFAULT_RETRIES } from "../rules/message.ts";
import { retryPolicy } from "../rules/policy.ts";
import type { Run } from "../rules/run.ts";
import { decideAttempt, readAttempt } from "../rules/step-attempt.ts";
import * as inOrder from "../store/in-order.ts";
import {
  entriesAfter,
  type HistoryEnd,
  insertBareEntry,
  type NewEntry,
  type PlacedEntry,
  type StepEntry,
  sendEntries,
  toEntry,
} from "../store/tables/entries.ts";
import { lockAll, type Tx } from "../store/tx.ts";
import { carryOut, messageOfAsk } from "./carry-out-ask.ts";
import { openWebhook } from "./open-webhook.ts";

/** The entries that an invocation appends, and the position up to which it knows the history. */
export interface InlineEntries {
  /** The position of the last entry that the invocation knows. */
  readonly after: number;
  readonly entries: readonly NewInlineEntry[];
}

/** The run that an invocation holds. */
export interface HeldRun extends HistoryEnd {
  readonly key: number;
  readonly id: string;
  /** The number of the lease under which the invocation holds it. */
  readonly lease: number;
  /** Reads the rest of the run, which results don't need. */
  readonly whole: () => Promise<Run>;
}

/** The records of an invocation for the run that it holds. */
export interface InlineAddition {
  /** The run as it is in this transaction. */
  readonly run: HeldRun;
  readonly records: InlineEntries;
}

/**
 * Adds the records of invocations to the histories of their runs, in their order, and starts the work that they ask the engine
 * for. A record that is there already changes nothing: an endpoint that didn't get the answer sends it again.
 *
 * @param additions each to another run
 * @returns for each run every entry behind `after`, in the order of the history. If another writer's record has the place of one
 *   of the run's, none of these is stored
 * @throws EngineError when the records can't be accepted: the caller must roll its transaction back
 */
export async function insertInline(tx: Tx, additions: readonly InlineAddition[]): Promise<InlineNews[][]> {
  const entries: NewEntry[] = [];
  const news = await inOrder.mapSideBySide(additions, (addition) => addOne(tx, addition, entries));
  sendEntries(tx, entries);
  return news;
}

/** @param added gets the entries that are to be inserted; those that ask for work are inserted here */
async function addOne(
  tx: Tx,
  { run, records: { after, entries } }: InlineAddition,
  added: NewEntry[],
): Promise<InlineNews[]> {
  const { last } = run;
  if (after > last) throw invalid("after", `expected ${last} at most, got ${after}`);
  const known = last > after ? await entriesAfter(tx, run.key, after) : [];
  const recorded = new Map(known.map((entry) => [entry.record, entry]));
  const stored = await toStored(tx, run, entries);
  const isTaken = (one: Stored) => {
    const there = recorded.get(one.entry.key);
    return there !== undefined && !isOwn(there, one);
  };
  // All of the records or none.
  if (stored.some(isTaken)) return toNews(known, stored);
  const fresh = stored.filter(({ entry }) => !recorded.has(entry.key));
  if (entries.some(({ kind }) => kind === "ask")) {
    for (const one of fresh) await insertAndAct(tx, run, one);
    // The engine's work may have added others.
    return toNews(await entriesAfter(tx, run.key, after), stored);
  }
  const keys = new Set(run.repeated === null ? [] : [run.repeated]);
  for (const [at, one] of fresh.entries()) {
    const { key } = one.entry;
    if (keys.has(key)) throw refusalOf(one, isThere(run, key));
    keys.add(key);
    added.push({ ...toBare(run, one), run: run.key, position: last + at + 1 });
    note(tx, run, one);
  }
  return [...toNews(known, stored), ...fresh.map((one) => ownNews(stored.indexOf(one), one))];
}

/** Takes the locks of runs, after those of the runs that their new entries invoke: an invoked run is locked first. */
export async function lockWithChildren(
  tx: Tx,
  runIds: readonly string[],
  entries: readonly NewInlineEntry[],
): Promise<void> {
  const children = entries.flatMap((entry) =>
    entry.kind === "ask" && entry.ask.kind === "invoke" ? entry.ask.start.run.id : [],
  );
  await lockAll(tx, { run: children });
  await lockAll(tx, { run: runIds });
}

/** A record with the bytes that are stored of it. */
interface Stored {
  readonly entry: NewInlineEntry;
  readonly body: Uint8Array;
}

async function toStored(tx: Tx, run: HeldRun, entries: readonly NewInlineEntry[]): Promise<Stored[]> {
  const counts = entries.some(({ kind }) => kind === "attempt");
  const { retries = DEFAULT_RETRIES, retryDelay } = counts ? retryPolicy(await run.whole(), "step") : {};
  const toBody = (entry: NewInlineEntry): Uint8Array =>
    entry.kind === "attempt"
      ? toBytes(JSON.stringify(decideAttempt(entry.attempt, { retries, retryDelay }, tx.now)))
      : entry.body;
  return entries.map((entry) => ({ entry, body: toBody(entry) }));
}

/** Inserts an entry, and does what it asks the engine for. */
async function insertAndAct(tx: Tx, run: HeldRun, stored: Stored): Promise<void> {
  const { entry } = stored;
  try {
    if (!(await insertBareEntry(tx, run.key, toBare(run, stored)))) throw isThere(run, entry.key);
    if (entry.kind === "ask") await carryOut(tx, await run.whole(), entry.ask);
    else note(tx, run, stored);
  } catch (error) {
    throw refusalOf(stored, error);
  }
}

/** The error that names the record, in the place of another refusal. */
function refusalOf({ entry }: Stored, error: unknown): unknown {
  return isRefusal(error) && entry.kind !== "attempt" ? new RecordRefused(entry, error) : error;
}

function isThere({ id }: HeldRun, key: string): EngineError {
  return new EngineError(
    "conflict",
    `workflow run ${id} has the record ${key} already, at a position that the invocation knows`,
  );
}

/** The entry of a record, without its place. */
export function toBare({ lease }: Pick<HeldRun, "lease">, { entry, body }: Stored): StepEntry {
  const { key, kind } = entry;
  return {
    key,
    body,
    lease,
    callType: kind === "attempt" ? "attempt" : "step",
    step: kind === "attempt" ? entry.attempt.step.name : entry.record.stepName,
    message: kind === "ask" ? messageOfAsk(entry.ask) : newMessageId(),
  };
}

/** Tells the engine's observers of an entry that asks the engine for nothing. */
function note(tx: Tx, run: HeldRun, { entry, body }: Stored): void {
  if (entry.kind === "attempt") recordAttempt(tx, run.id, readAttempt(body));
  if (entry.kind !== "result") return;
  openWebhook(tx, run.key, entry.record);
  recordResult(tx, run.id, entry.record);
}

/** Tells the engine's observers of a result. */
export function recordResult(tx: Pick<Tx, "record" | "count">, runId: string, record: StepRecord): void {
  const { stepName: step, stepType, out, startedAt, durationMs } = record;
  tx.count({ of: "inline", state: "steps", count: 1 });
  tx.record({ type: "step.recorded", runId, step, stepType, result: excerptOf(out), startedAt, durationMs });
}

/** Tells the engine's observers of a failed attempt. */
export function recordAttempt(tx: Tx, runId: string, { step, attempt, error, retryAt }: AttemptEntry): void {
  const wait = retryAt === undefined ? undefined : Math.max(0, retryAt - tx.now);
  const { name, type: stepType } = step;
  tx.record({ type: "step.failed", runId, step: name, stepType, attempt, error: error.message, wait });
}

function toNews(entries: readonly PlacedEntry[], stored: readonly Stored[]): InlineNews[] {
  const own = new Map(stored.map(({ entry }, at) => [entry.key, at]));
  return entries.map((entry): InlineNews => {
    const { record, body, message, callType } = entry;
    const at = own.get(record);
    const mine = at === undefined ? undefined : stored[at];
    if (at !== undefined && mine && isOwn(entry, mine)) return ownNews(at, { entry: mine.entry, body });
    return { entry: toEntry({ message, body, call_type: callType }) };
  });
}

/** Whether a recorded entry is this record. An attempt is known by its number. */
function isOwn({ callType, body }: PlacedEntry, mine: Stored): boolean {
  return callType === "attempt" || Buffer.compare(body, mine.body) === 0;
}

function ownNews(own: number, { entry, body }: Stored): InlineNews {
  if (entry.kind !== "attempt") return { own };
  const { retryAt } = readAttempt(body);
  return retryAt === undefined ? { own, exhausted: true } : { own, retryAt };
}
