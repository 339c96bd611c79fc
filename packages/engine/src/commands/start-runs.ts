import type { StartRun } from "../rules/command.ts";
import { excerptOf } from "../rules/event.ts";
import { initialStatus } from "../rules/message-status.ts";
import { inherit, isLive, type Run } from "../rules/run.ts";
import { decideStart } from "../rules/start.ts";
import type { Receipt } from "../store/receipt.ts";
import { FIRST_RECORD, insertStepEntry } from "../store/tables/entries.ts";
import { logEach } from "../store/tables/logs.ts";
import { IS_LIVE, insertNewRun, latestRuns, NEW_RUN, noteNewRun, toNewRunRow } from "../store/tables/runs.ts";
import { forEach, type Part, type Sql, sql, type Tx } from "../store/tx.ts";
import { insertNewDue, insertNewMessage, NEW_DUE, NEW_MESSAGE, toNewMessageRow } from "./insert-message.ts";
import { receipt } from "./receipt.ts";
import { repeated } from "./start-run.ts";

/** Whether a start has to do with nothing but its own run: no invoker, no queue, no flow control key. */
export function isPlainStart({ configuresRun, run, message }: StartRun): boolean {
  const isLimited =
    message.queue !== undefined || message.flow !== undefined || run.config.flow !== undefined;
  return !configuresRun && run.invoker === undefined && !isLimited;
}

/**
 * Starts runs by a handful of statements, however many they are, and without a wait between these: each finds by the run's id what the
 * one before it has stored. A request that repeats an earlier one gets the receipt for the run of that one. The caller has the locks
 * of the runs.
 *
 * @param starts plain ones, each with another id
 */
export async function startRuns(tx: Tx, starts: readonly StartRun[]): Promise<Receipt[]> {
  if (starts.length === 0) return [];
  const latest = await latestRuns(
    tx,
    starts.map(({ run }) => run.id),
  );
  const before = starts.map((start) => earlierRun(start, latest.get(start.run.id)));
  const fresh = starts.filter((_, at) => before[at] === undefined);
  const createdAt = sendStarts(tx, fresh, latest);
  return Promise.all(
    starts.map(async ({ run: { id }, message }, at) => {
      const earlier = before[at];
      return earlier
        ? repeated(tx, earlier)
        : receipt(message, { id, createdAt: createdAt.get(id) ?? tx.now }, false);
    }),
  );
}

/** The run that stands for a request which repeats an earlier one. */
function earlierRun({ run: newRun, configuresRun }: StartRun, latest: Run | undefined): Run | undefined {
  const live = latest && isLive(latest) ? latest : undefined;
  const facts = { newRun, configuresRun, live, latest, invoker: "none", invokedBefore: false } as const;
  return decideStart(facts) === "repeat" ? latest : undefined;
}

/** @returns the times of the runs' creation, by their ids */
function sendStarts(
  tx: Tx,
  starts: readonly StartRun[],
  latest: ReadonlyMap<string, Run>,
): ReadonlyMap<string, number> {
  const runs = starts.map(({ run }) => toNewRunRow(run, { previous: latest.get(run.id) }));
  tx.sendForEach(forEach(NEW_RUN, runs, (row, from) => sql`${insertNewRun(row)}${from}`));
  sendLabels(tx, starts);
  sendPayloads(tx, starts);
  sendDeliveries(tx, starts);
  for (const [at, { run, payload }] of starts.entries()) {
    noteNewRun(tx, runs[at]?.deadline ?? null);
    tx.record({ type: "run.started", runId: run.id, url: run.url, payload: excerptOf(payload) });
  }
  return new Map(runs.map(({ id, createdAt }) => [id, createdAt]));
}

/** The key of a run that this transaction has started. */
function keyOf(id: Part): Sql {
  return sql`(SELECT key FROM runs WHERE id = ${id} AND ${IS_LIVE})`;
}

function sendLabels(tx: Tx, starts: readonly StartRun[]): void {
  const rows = starts.flatMap(({ run }) =>
    [...new Set(run.config.labels)].map((label) => ({ id: run.id, label })),
  );
  tx.sendForEach(
    forEach({ id: "string", label: "string" }, rows, (row, from) => {
      return sql`INSERT INTO run_labels (label, run) SELECT ${row.label}, ${keyOf(row.id)}${from}`;
    }),
  );
}

const PAYLOAD = { id: "string", message: "string", body: "bytes", createdAt: "number" } as const;

function sendPayloads(tx: Tx, starts: readonly StartRun[]): void {
  const rows = starts.map(({ run: { id }, payload: body, message: { id: message, createdAt } }) => {
    return { id, message, body, createdAt };
  });
  tx.sendForEach(
    forEach(PAYLOAD, rows, ({ id, message, body, createdAt }, from) => {
      const entry = {
        run: keyOf(id),
        position: 1,
        key: FIRST_RECORD,
        message,
        type: "step",
        step: null,
        body,
        lease: null,
      };
      return sql`${insertStepEntry(entry, createdAt)}${from}`;
    }),
  );
}

const DELIVERY = { ...NEW_MESSAGE, runId: "string" } as const;
const DUE = { ...NEW_DUE, id: "string", runId: "string" } as const;

function sendDeliveries(tx: Tx, starts: readonly StartRun[]): void {
  const messages = starts.map(({ run, message }) => ({
    ...toNewMessageRow(inherit(message, { config: run.config, capabilities: undefined })),
    runId: run.id,
  }));
  tx.sendForEach(
    forEach(DELIVERY, messages, (row, from) => {
      const run = keyOf(row.runId);
      const entry = sql`(SELECT seq FROM entries WHERE run = ${run} AND position = 1)`;
      return sql`${insertNewMessage({ ...row, run, entry })}${from}`;
    }),
  );
  sendMessageLabels(tx, starts);
  const status = initialStatus(false);
  const due = messages.map(({ id, kind, runId, notBefore: at }) => {
    return {
      id,
      runId,
      message: null,
      status,
      at,
      since: null,
      kind,
      run: null,
      queue: null,
      place: null,
      flowKey: null,
    };
  });
  tx.sendForEach(
    forEach(DUE, due, (row, from) => {
      return sql`${insertNewDue({ ...row, message: seqOf(row.id), run: keyOf(row.runId) })}${from}`;
    }),
  );
  logEach(
    tx,
    messages.map(({ kind }) => ({ seq: 0, kind })),
    "CREATED",
  );
  for (const { notBefore } of messages) tx.wakeAt(notBefore);
}

/** The key of a message that this transaction has stored. */
function seqOf(id: Part): Sql {
  return sql`(SELECT seq FROM messages WHERE id = ${id})`;
}

function sendMessageLabels(tx: Tx, starts: readonly StartRun[]): void {
  const rows = starts.flatMap(({ message: { id, labels } }) =>
    [...new Set(labels)].map((label) => ({ id, label })),
  );
  tx.sendForEach(
    forEach({ id: "string", label: "string" }, rows, (row, from) => {
      return sql`INSERT INTO message_labels (label, message) SELECT ${row.label}, ${seqOf(row.id)}${from}`;
    }),
  );
}
