import { newMessageId, newRunId } from "../../domain/ids.ts";
import { invokeRecord } from "../../domain/invoke.ts";
import type { Draft } from "../../domain/message.ts";
import { deliveryOf, inherit, override, type Run } from "../../domain/run.ts";
import type { DeadLetterQuery, Revival, Revived } from "../lists.ts";
import type { Database } from "./database.ts";
import { remove } from "./dead.ts";
import { recordStep } from "./finish.ts";
import { deadLetters } from "./listing.ts";
import { type Due, insertMessage } from "./messages.ts";
import { isReporting, learn, rollbacksOf } from "./rollbacks.ts";
import { type MessageRow, type RunRow, toMessage, toRun } from "./rows.ts";
import { insertRun } from "./runs.ts";
import { type OldEntry, survey } from "./survey.ts";

export function revive(db: Database, query: DeadLetterQuery, how: Revival, now: number, due: Due): Revived {
  const { items, next } = deadLetters(db, { ...query, ofRuns: true });
  const runs = items.flatMap(({ dlqId, run }) => {
    // While its steps may still be rolled back, they can't be run anew.
    if (!run || (run.traits !== undefined && isReporting(db, run.key))) return [];
    remove(db, { id: dlqId, run: run.key });
    return [reviveRun(db, run, how, now, due)];
  });
  return { runs, next };
}

function reviveRun(db: Database, old: Run, how: Revival, now: number, due: Due): Run {
  const inserted = insertRun(
    db,
    {
      id: newRunId(),
      url: old.url,
      createdAt: now,
      callerIp: old.callerIp,
      config: override(old, how.options, how.lifetime),
      announced: old.announced,
      // Whoever waited for the one that failed has been told.
      invoker: undefined,
    },
    due,
  );
  const run = { ...inserted, traits: old.traits };
  learn(db, run.key, { traits: old.traits }, due);
  const entries = db.all<OldEntry>(
    "SELECT seq, record, message, call_type, body, created_at FROM entries WHERE run = ? ORDER BY seq",
    old.key,
  );
  const again: Again = { db, run, how, now, due };
  if (how.kind === "resume") resume(again, old, entries);
  else for (const first of entries.slice(0, 1)) copy(again, first, true);
  return run;
}

interface Again {
  readonly db: Database;
  readonly run: Run;
  readonly how: Revival;
  readonly now: number;
  readonly due: Due;
}

/** Copies a history in its order, and delivers again whatever has had no effect. */
function resume(again: Again, old: Run, entries: readonly OldEntry[]): void {
  const { db, run } = again;
  // Webhooks that it gave out name the old run: from there, one is led here.
  db.run("UPDATE runs SET successor = ? WHERE key = ?", run.key, old.key);
  db.run("UPDATE events SET run = ? WHERE run = ?", run.key, old.key);
  db.run("UPDATE webhooks SET run = ? WHERE run = ?", run.key, old.key);
  const undone = undoneSteps(db, old.key);
  const left = entries.filter(({ record }) => !isUndone(record, undone));
  const children = adoptChildren(again, old, undone);
  const { kept, redelivered } = survey(db, old.key, left, children);
  for (const entry of kept) copy(again, entry, redelivered.has(entry));
  for (const child of children) {
    const { invoker } = child;
    if (!invoker || child.state === "RUN_STARTED") continue;
    if (left.some(({ record }) => record === invoker.key)) continue;
    const { key, message } = invoker;
    recordStep(db, run, { key, message, json: invokeRecord(invoker, child) }, again.now, again.due);
  }
}

function undoneSteps(db: Database, run: number): Set<number> {
  const done = rollbacksOf(db, run).filter(({ state }) => state === "done");
  return new Set(done.map(({ stepId }) => stepId));
}

/**
 * What was rolled back is run anew. Then there are no plans either: a group of which some steps are on record and others
 * aren't is asked for anew as well, and those on record are found by themselves.
 */
function isUndone(record: string, undone: ReadonlySet<number>): boolean {
  if (undone.size === 0) return false;
  return record.startsWith("plan:") || undone.has(Number(record.slice(record.indexOf(":") + 1)));
}

/** The runs that the old one has invoked are the new one's: one that is under way isn't started a second time. */
function adoptChildren({ db, run }: Again, old: Run, undone: ReadonlySet<number>): Run[] {
  const children = db
    .all<RunRow>("SELECT * FROM runs WHERE parent = ?", old.key)
    .map(toRun)
    .filter(({ invoker }) => !invoker || !isUndone(invoker.key, undone));
  return children.map((child) => {
    if (!child.invoker) return child;
    const invoker = { ...child.invoker, runId: run.id, createdAt: run.createdAt };
    db.run(
      "UPDATE runs SET parent = ?, invoker = ? WHERE key = ?",
      run.key,
      JSON.stringify(invoker),
      child.key,
    );
    return { ...child, invoker };
  });
}

function copy(again: Again, entry: OldEntry, redeliver: boolean): void {
  const { db, run, due } = again;
  // Of a call's message the run's log still tells.
  const messageId = entry.call_type === "toCallback" ? entry.message : newMessageId();
  const { key } = db.run(
    "INSERT INTO entries (run, record, message, call_type, body, created_at) VALUES (?, ?, ?, ?, ?, ?)",
    run.key,
    entry.record,
    messageId,
    entry.call_type,
    entry.body,
    entry.created_at,
  );
  if (redeliver) insertMessage(db, redelivery(again, entry, messageId), due, { run: run.key, entry: key });
}

/** As it was delivered before, as far as that is still known, but for what is to be different now. */
function redelivery(again: Again, entry: OldEntry, id: string): Draft {
  const { db, run, how, now } = again;
  const { options } = how;
  const notBefore = options.notBefore ?? now + (options.delay ?? 0);
  const row = db.get<MessageRow>("SELECT * FROM messages WHERE id = ?", entry.message);
  if (!row)
    return inherit(
      { ...deliveryOf(run, entry.call_type === "fromCallback" ? "answer" : "step", now), id, notBefore },
      run,
    );
  const before = toMessage(row);
  return {
    ...before,
    id,
    // What was to sleep until a certain time still is.
    notBefore: Math.max(notBefore, before.retried > 0 ? 0 : before.notBefore),
    createdAt: now,
    retries: options.retries ?? before.maxRetries,
    retryDelay: options.retryDelay ?? before.retryDelay,
    labels: options.labels.length > 0 ? options.labels : before.labels,
    flow: options.flow ?? before.flow,
    failureCallback: options.failureUrl || options.failure ? undefined : before.failureCallback,
  };
}
