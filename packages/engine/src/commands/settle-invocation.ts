import { type AttemptEntry, type InlineNews, newMessageId, type StepKey } from "@perdure/core/protocol";
import { openRetriesOf } from "../queries/open-retries.ts";
import { hasPending } from "../queries/pending.ts";
import { toBytes } from "../rules/bytes.ts";
import { errorOf, type InvocationEnd } from "../rules/invocation.ts";
import type { Run } from "../rules/run.ts";
import { endsSteps, stepUnderWay } from "../rules/run-lease.ts";
import {
  decideNextAttempt,
  type FailedDelivery,
  type RetryTerms,
  type Settlement,
} from "../rules/settlement.ts";
import { attemptKey, attemptPrefix, readAttempt } from "../rules/step-attempt.ts";
import type { Settled } from "../store/claims.ts";
import { type HistoryEnd, historyEnd, insertBareEntry } from "../store/tables/entries.ts";
import { sql, type Tx } from "../store/tx.ts";
import { failMessage, retryOrFail } from "./failed-attempt.ts";
import { finishRun } from "./finish-run.ts";
import { leaveRun, noteInline } from "./hold-run.ts";
import { insertInline } from "./insert-inline.ts";
import { finishDelivery, type StepDelivery } from "./step-delivery.ts";
import { insertDelivery } from "./wake-run.ts";

/**
 * Milliseconds until a run is delivered again whose endpoint takes the time of a retry to be later than the engine does, or
 * whose last delivery has arrived twice.
 */
const PAUSE_MS = 1000;

/**
 * Records how an invocation ended that had the right to append:
 *
 * 1. The records in its answer go on record, and the engine does what they ask for.
 * 2. The invocation no longer holds the run, and its delivery is finished.
 * 3. `returned`: the run has its result. `continue`: the run is delivered again. `parked`: what comes next wakes the run;
 *    see {@link park}.
 *
 * A delivery that has arrived twice has two invocations. If another one than the answering one has appended, nothing of the
 * answer counts, and the run is delivered again.
 */
export async function settleInvocation(
  tx: Tx,
  delivery: StepDelivery,
  { invocation, stalled }: Extract<Settlement, { kind: "invocation" }>,
  excerpt: number,
): Promise<Settled> {
  const { row } = delivery;
  const isHolder = holds(delivery.run, invocation);
  const news = isHolder ? await storeRecords(tx, delivery, invocation) : [];
  const stored = news.filter((one) => "own" in one).length;
  // If another writer's record is in the place of one of these, the result doesn't follow from the history.
  const end = isHolder && stored === invocation.entries.length ? invocation.end : "continue";
  const held = { ...delivery.run, inline: true };
  // The end of the run ends its lease.
  const orderly = isHolder && endsSteps(held);
  if (end !== "returned") await leaveRun(tx, held, row.seq, { orderly, inline: true });
  const run = { ...held, holder: undefined };
  switch (end) {
    case "returned":
      await finishDelivery(tx, row);
      await finishRun(tx, run, { state: "RUN_SUCCESS", response: invocation.result });
      return { kind: "recorded" };
    case "continue":
      await finishDelivery(tx, row);
      await insertDelivery(tx, run, isHolder ? tx.now : tx.now + PAUSE_MS);
      return { kind: "recorded" };
    case "parked":
      return park(tx, { row, run }, { news, stalled }, excerpt);
    default:
      return end satisfies never;
  }
}

/** Whether no other invocation of the run's delivery has appended. */
function holds(run: Run, { invocation }: InvocationEnd): boolean {
  return run.invocation === undefined || run.invocation === invocation;
}

interface Parking {
  readonly news: readonly InlineNews[];
  readonly stalled: Extract<Settlement, { kind: "invocation" }>["stalled"];
}

/**
 * Lets a run rest until something wakes it:
 *
 * 1. An entry that the invocation doesn't know wakes it at once.
 * 2. Of steps that have failed and are tried again, the first one wakes it at its time.
 * 3. A wait, a sleep, a call or a child's end wakes it when it ends.
 * 4. With none of these the run has stalled, and fails.
 */
async function park(
  tx: Tx,
  { row, run }: StepDelivery,
  { news, stalled }: Parking,
  excerpt: number,
): Promise<Settled> {
  const isBehind = news.some((one) => "entry" in one);
  const retryAt = isBehind ? tx.now : await nextRetry(tx, run.key);
  if (retryAt === undefined && !(await hasPending(tx, run.key, row.seq)))
    return failMessage(tx, row, stalled, excerpt);
  await finishDelivery(tx, row);
  if (retryAt !== undefined) await insertDelivery(tx, run, retryAt);
  return { kind: "recorded" };
}

/** When the first of a run's failed steps may be tried again. */
async function nextRetry(tx: Tx, run: number): Promise<number | undefined> {
  const times = (await openRetriesOf(tx, run)).flatMap(({ retryAt }) => retryAt ?? []);
  if (times.length === 0) return undefined;
  const next = Math.min(...times);
  return next > tx.now ? next : tx.now + PAUSE_MS;
}

/** Reads the end of a run's history for the records of an invocation. */
export function endOfHistory(tx: Tx, run: number, { after, entries }: InvocationEnd): Promise<HistoryEnd> {
  return historyEnd(tx, run, { after, keys: entries.map(({ key }) => key) });
}

async function storeRecords(
  tx: Tx,
  { run, end }: StepDelivery,
  invocation: InvocationEnd,
): Promise<readonly InlineNews[]> {
  // The engine's work may have its result at once.
  if (!run.inline) noteInline(tx, [run.key], true);
  const held = {
    key: run.key,
    id: run.id,
    lease: run.leaseNumber,
    ...(end ?? (await endOfHistory(tx, run.key, invocation))),
    whole: async () => ({ ...run, inline: true }),
  };
  const [news = []] = await insertInline(tx, [{ run: held, records: invocation }]);
  return news;
}

/**
 * Records a failed attempt of a run that its endpoint runs inline:
 *
 * 1. The records in the answer go on record.
 * 2. The failure counts to the step that failed. Without an answer it counts to the only step that was in progress, if the
 *    invocation had said which. The failed attempt is an entry of the history.
 * 3. Any other failure counts to the delivery. That count begins again at 0 when a step has its result.
 * 4. By that count the engine decides on another attempt, with the same message.
 *
 * The answer of an invocation that another one of its delivery has fenced off counts as no answer.
 */
export async function settleFailedInvocation(
  tx: Tx,
  delivery: StepDelivery,
  settlement: FailedDelivery,
  excerpt: number,
): Promise<Settled> {
  const { row, run } = delivery;
  const { invocation, failure } = settlement;
  const answered = typeof invocation === "object" ? invocation : undefined;
  const reported = answered && holds(run, answered) ? answered : undefined;
  if (reported) await storeRecords(tx, delivery, reported);
  const progressed = await hasProgressed(tx, delivery);
  // A lost invocation may have begun steps that this one hasn't reached again. They stay on record as under way.
  const isOwn = progressed || run.inProgress?.lease === run.leaseNumber;
  const orderly = reported !== undefined && isOwn && endsSteps(run);
  await leaveRun(tx, { ...run, inline: true }, row.seq, { orderly, inline: true });
  const step = reported ? reported.failed : stepUnderWay(run.inProgress, run.leaseNumber);
  const attempts = step && (await attemptsOf(tx, run.key, step));
  const retried = attempts?.count ?? (progressed ? 0 : row.retried);
  const counted = answered && !reported ? withoutVerdict(settlement) : settlement;
  const decided = decideNext(counted, retried, reported ? undefined : attempts?.retries);
  if (step) {
    const retryAt = decided.kind === "retry" ? { retryAt: decided.dueAt } : {};
    const error = errorOf(failure.byEngine ? undefined : failure.reply, failure.error);
    await insertAttempt(tx, delivery, { kind: "attempt", step, attempt: retried + 1, error, ...retryAt });
  }
  if (progressed || retried !== row.retried) {
    // The log shows the attempts of what is being tried.
    await tx.run(sql`DELETE FROM failures WHERE message = ${row.seq}`);
    await tx.run(sql`UPDATE due SET retried = ${retried} WHERE message = ${row.seq}`);
  }
  const recounted = { ...row, retried };
  return retryOrFail(tx, recounted, decided, excerpt);
}

function withoutVerdict(settlement: FailedDelivery): FailedDelivery {
  const { terms } = settlement;
  return terms ? { ...settlement, terms: { ...terms, final: false } } : settlement;
}

/** @param own retries that the step has asked for before */
function decideNext(
  { failure, terms, ...rest }: FailedDelivery,
  retried: number,
  own: number | undefined,
): FailedDelivery {
  const { final = true, retries = 0, retryDelay }: Partial<RetryTerms> = terms ?? {};
  const decided = decideNextAttempt({ failure, retried }, { final, retries: own ?? retries, retryDelay });
  return decided.kind === "retry" && rest.kind === "retry" ? { ...decided, unheard: rest.unheard } : decided;
}

/** Whether a step of the run has its result since the delivery began. */
async function hasProgressed(tx: Tx, { row, run }: StepDelivery): Promise<boolean> {
  const found = await tx.one(
    sql`SELECT 1 FROM entries WHERE run = ${run.key} AND record >= 'result:' AND record < 'result;'
      AND position > coalesce((SELECT position FROM entries WHERE seq = ${row.entry}), 0) LIMIT 1`,
  );
  return found !== undefined;
}

/** The failed attempts of a step, and the retries that the last one asked for. */
async function attemptsOf(
  tx: Tx,
  run: number,
  step: StepKey,
): Promise<{ readonly count: number; readonly retries: number | undefined }> {
  const prefix = attemptPrefix(step);
  // The character behind the slash.
  const end = `${prefix.slice(0, -1)}0`;
  const rows = await tx.all<{ record: string; body: Uint8Array }>(
    sql`SELECT record, body FROM entries WHERE run = ${run} AND record >= ${prefix} AND record < ${end} ORDER BY position`,
  );
  const own = rows.map(({ body }) => readAttempt(body)).filter((entry) => entry.step.name === step.name);
  const last = own.at(-1);
  return { count: last?.attempt ?? 0, retries: last?.retries };
}

async function insertAttempt(tx: Tx, { run }: StepDelivery, entry: AttemptEntry): Promise<void> {
  const { step, attempt } = entry;
  const body = toBytes(JSON.stringify(entry));
  const key = attemptKey(step, attempt);
  await insertBareEntry(tx, run.key, {
    key,
    callType: "attempt",
    step: step.name,
    body,
    message: newMessageId(),
    lease: run.leaseNumber,
  });
}
