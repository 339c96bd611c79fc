import { isKeyOf, keyOf, newMessageId, stepOfKey, toRunId } from "@perdure/core/protocol";
import { isReporting, rollbacksOf } from "../queries/rollbacks.ts";
import { toBytes, toText } from "../rules/bytes.ts";
import { overlay } from "../rules/delivery-policy.ts";
import { withResult } from "../rules/edited-result.ts";
import { notFound } from "../rules/engine-error.ts";
import { invokeRecord } from "../rules/invoke.ts";
import type { NewMessage } from "../rules/message.ts";
import { readRecord } from "../rules/record.ts";
import { deliveryOf, inherit, isLive, override, type Run } from "../rules/run.ts";
import * as inOrder from "../store/in-order.ts";
import type { DeadLetterQuery, ResumedRuns, ResumeRequest } from "../store/lists.ts";
import { FIRST_RECORD } from "../store/tables/entries.ts";
import { MESSAGES, type MessageRow, RUNS, type RunRow, toMessage, toRun } from "../store/tables/rows.ts";
import { insertRun } from "../store/tables/runs.ts";
import { join, sql, type Tx } from "../store/tx.ts";
import { insertMessage } from "./insert-message.ts";
import { lockDeadLetters } from "./lock-dead-letters.ts";
import { planInlineResume } from "./plan-inline-resume.ts";
import { type OldEntry, planResume } from "./plan-resume.ts";
import { recordEndpoint } from "./record-endpoint.ts";
import { recordStep } from "./record-step.ts";
import { removeDeadLetter } from "./remove-dead-letters.ts";

/**
 * Resumes or restarts failed runs as new runs, and takes their entries out of the dead letter queue. A resumed run begins
 * with the recorded steps, a restarted one with the payload alone.
 */
export async function resumeRuns(tx: Tx, query: DeadLetterQuery, how: ResumeRequest): Promise<ResumedRuns> {
  const { items, next } = await lockDeadLetters(tx, { ...query, ofRuns: true });
  const runs = await inOrder.flatMap(items, async ({ dlqId, run }) => {
    // A run can't go on while its steps may still be rolled back.
    if (!run || (run.capabilities !== undefined && (await isReporting(tx, run.key)))) return [];
    await removeDeadLetter(tx, { id: dlqId, run: run.key });
    return [await resumeOrRestart(tx, run, how)];
  });
  return { runs, next };
}

async function resumeOrRestart(tx: Tx, old: Run, how: ResumeRequest): Promise<Run> {
  const inserted = await insertRun(tx, {
    id: toRunId(),
    url: old.url,
    createdAt: tx.now,
    callerIp: old.callerIp,
    config: override(old, how.options, how.lifetime),
    awaitingConfiguration: old.awaitingConfiguration,
    // The run that invoked the failed run has the failure on record.
    invoker: undefined,
  });
  const heir = { ...inserted, ...(how.kind === "resume" ? ancestry(old) : {}) };
  if (how.kind === "resume") {
    await tx.run(
      sql`UPDATE runs SET origin = ${heir.origin ?? null}, inline = ${heir.inline ? 1 : 0} WHERE key = ${heir.key}`,
    );
  }
  const run = await recordEndpoint(tx, heir, { capabilities: old.capabilities });
  const entries = how.kind === "resume" ? await oldEntries(tx, old.key) : await oldEntries(tx, old.key, 1);
  checkEdits(entries, how);
  tx.record({ type: "run.resumed", runId: run.id, url: run.url });
  const resumption: Resumption = { tx, run, how };
  if (how.kind === "resume") await resume(resumption, old, entries);
  else await copy(resumption, entries, new Set(entries));
  return run;
}

/** Entries that one statement reads or copies: a millisecond's work. */
const ENTRIES_AT_ONCE = 200;

/** The first entries of a run, or all of them, in their order. */
async function oldEntries(tx: Tx, run: number, most = Number.POSITIVE_INFINITY): Promise<OldEntry[]> {
  const entries: OldEntry[] = [];
  for (let [last, isMore] = [0, true]; isMore; ) {
    const count = Math.min(ENTRIES_AT_ONCE, most - entries.length);
    const rows = await tx.many<OldEntry>(
      sql`SELECT position, record, message, call_type, step, body, created_at FROM entries
        WHERE run = ${run} AND position > ${last} ORDER BY position LIMIT ${count}`,
    );
    entries.push(...rows);
    last = rows.at(-1)?.position ?? last;
    isMore = rows.length === ENTRIES_AT_ONCE && entries.length < most;
  }
  return entries;
}

/** Returns the properties that a resumed run takes over from the failed one. */
function ancestry(old: Run): Pick<Run, "origin" | "inline"> {
  return { origin: old.origin ?? old.id, inline: old.inline };
}

interface Resumption {
  readonly tx: Tx;
  readonly run: Run;
  readonly how: ResumeRequest;
}

/** Copies a history in its order, and delivers the entries again that have had no effect. */
async function resume(resumption: Resumption, old: Run, entries: readonly OldEntry[]): Promise<void> {
  const { tx, run } = resumption;
  // The webhooks of the old run name it: the engine passes their requests on to the new run.
  await tx.run(sql`UPDATE runs SET successor = ${run.key} WHERE key = ${old.key}`);
  await tx.run(sql`UPDATE events SET run = ${run.key} WHERE run = ${old.key}`);
  await tx.run(sql`UPDATE webhooks SET run = ${run.key} WHERE run = ${old.key}`);
  const undone = await undoneSteps(tx, old.key);
  const left = entries.filter(({ record }) =>
    old.inline ? !undone.has(Number(stepOfKey(record))) : !isUndone(record, undone),
  );
  const children = await adoptChildren(resumption, old, undone);
  const { kept, redelivered } = old.inline
    ? planInlineResume(left, children)
    : await planResume(tx, old.key, left, children);
  await copy(resumption, kept, redelivered);
  const recorded = new Set(left.map(({ record }) => record));
  for (const child of children) {
    const { invoker } = child;
    if (!invoker || isLive(child) || recorded.has(invoker.key)) continue;
    const { key, message } = invoker;
    await recordStep(tx, run, {
      key,
      message,
      step: invoker.step,
      body: toBytes(invokeRecord(invoker, child)),
    });
  }
}

async function undoneSteps(tx: Tx, run: number): Promise<Set<number>> {
  const done = (await rollbacksOf(tx, run)).filter(({ state }) => state === "done");
  return new Set(done.map(({ stepId }) => stepId));
}

/**
 * True for a record that a resumed run leaves out. Rolled-back steps run again. Then the run leaves out all plans, too: the
 * workflow requests a partly recorded group again, and finds the recorded steps.
 */
function isUndone(record: string, undone: ReadonlySet<number>): boolean {
  if (undone.size === 0) return false;
  return isKeyOf("plan", record) || undone.has(Number(stepOfKey(record)));
}

/** Passes the invoked runs on to the new run: a child that is still live isn't started a second time. */
async function adoptChildren({ tx, run }: Resumption, old: Run, undone: ReadonlySet<number>): Promise<Run[]> {
  const children = (await tx.many<RunRow>(sql`${RUNS} WHERE parent = ${old.key} ORDER BY key`))
    .map(toRun)
    .filter(({ invoker }) => !invoker || !isUndone(invoker.key, undone));
  return await inOrder.map(children, async (child) => {
    if (!child.invoker) return child;
    const invoker = { ...child.invoker, runId: run.id, createdAt: run.createdAt };
    await tx.run(
      sql`UPDATE runs SET parent = ${run.key}, invoker = ${JSON.stringify(invoker)} WHERE key = ${child.key}`,
    );
    return { ...child, invoker };
  });
}

/** Copies entries into the new run's history, which is empty, in their order. Delivers some of them again. */
async function copy(
  { tx, run, how }: Resumption,
  entries: readonly OldEntry[],
  redelivered: ReadonlySet<OldEntry>,
): Promise<void> {
  const copies = entries.map((entry, index) => ({ entry, position: index + 1, id: copiedId(run, entry) }));
  for (let at = 0; at < copies.length; at += ENTRIES_AT_ONCE) {
    const rows = copies.slice(at, at + ENTRIES_AT_ONCE).map(
      ({ entry, position, id }) =>
        sql`${run.key}, ${position}, ${entry.record}, ${id}, ${entry.call_type}, ${entry.step}, ${edited(entry, how)},
          ${entry.created_at}`,
    );
    await tx.run(
      sql`INSERT INTO entries (run, position, record, message, call_type, step, body, created_at)
        VALUES ${join(rows, ",")}`,
    );
  }
  for (const { entry, position, id } of copies) {
    if (!redelivered.has(entry)) continue;
    const copied = await tx.one<{ seq: number }>(
      sql`SELECT seq FROM entries WHERE run = ${run.key} AND position = ${position}`,
    );
    await insertMessage(tx, await redelivery({ tx, run, how }, entry, id), {
      run: run.key,
      entry: copied?.seq,
    });
  }
}

/** The id of an entry's copy. The run's log still shows a call's message; in an inline run, the call's plan has its id. */
function copiedId(run: Run, { call_type, record, message }: OldEntry): string {
  const isCall = call_type === "toCallback" || (run.inline && isKeyOf("plan", record));
  return isCall ? message : newMessageId();
}

/** The body of an entry, with the edits of the request. */
function edited({ record, body }: OldEntry, { edits }: ResumeRequest): Uint8Array {
  if (record === FIRST_RECORD) return edits?.payload ?? body;
  const out = isKeyOf("result", record) ? edits?.results.get(Number(stepOfKey(record))) : undefined;
  if (out === undefined) return body;
  return toBytes(JSON.stringify(withResult(readRecord(toText(body)), out)));
}

/** @throws EngineError `not_found` for a result that isn't on record */
function checkEdits(entries: readonly OldEntry[], { edits }: ResumeRequest): void {
  const recorded = new Set(entries.map(({ record }) => record));
  for (const id of edits?.results.keys() ?? []) {
    if (!recorded.has(keyOf("result", id))) throw notFound(`result of step ${id}`);
  }
}

/** The options of the entry's first delivery, as far as they are still stored, with the changes of the request. */
async function redelivery(resumption: Resumption, entry: OldEntry, id: string): Promise<NewMessage> {
  const { tx, run, how } = resumption;
  const { options } = how;
  const notBefore = options.notBefore ?? tx.now + (options.delay ?? 0);
  const row = await tx.one<MessageRow>(sql`${MESSAGES} WHERE messages.id = ${entry.message}`);
  if (!row)
    return inherit(
      { ...deliveryOf(run, entry.call_type === "fromCallback" ? "answer" : "step", tx.now), id, notBefore },
      run,
    );
  const before = toMessage(row);
  return {
    ...before,
    id,
    // A sleep still ends at its time.
    notBefore: Math.max(notBefore, before.retried > 0 ? 0 : before.notBefore),
    createdAt: tx.now,
    ...overlay(before, options),
    failureCallback: options.failureUrl || options.failure ? undefined : before.failureCallback,
  };
}
