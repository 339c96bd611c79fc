import { HEADER } from "@perdure/core/protocol";
import type { Run } from "../../domain/run.ts";
import type { CallbackState, DeadLetter, DeadLetterQuery, Page, RunLog, RunQuery } from "../lists.ts";
import type { Tx } from "../tx.ts";
import { Conditions, direction, HOST, PATH, page, whereMessage } from "./conditions.ts";
import { DEAD_LETTER, type DeadLetterRow, deadLetter, runLog } from "./read.ts";
import { type RunRow, toRun } from "./rows.ts";

export async function runs(tx: Tx, query: RunQuery): Promise<Page<RunLog>> {
  return page(
    await runRows(tx, query),
    query.count,
    (row) => row.key,
    async (row) => await runLog(tx, row),
  );
}

/** The newest runs that match, without their logs. */
export async function matchingRuns(tx: Tx, query: RunQuery): Promise<Run[]> {
  return (await runRows(tx, query)).slice(0, query.count).map(toRun);
}

/** Runs that have a step in a state. The messages of those on record are gone soon, their records stay. */
const STEPS_IN = `SELECT one.key FROM runs AS one, json_each(?) AS wanted WHERE CASE wanted.value
  WHEN 'DELIVERED' THEN EXISTS (SELECT 1 FROM entries WHERE run = one.key AND record LIKE 'result:%')
  ELSE EXISTS (SELECT 1 FROM messages WHERE run = one.key AND state <> 'DELIVERED' AND state = wanted.value
    AND purpose IN ('step', 'call', 'answer')) END`;

async function runRows(tx: Tx, query: RunQuery): Promise<RunRow[]> {
  const where = new Conditions();
  where.oneOf("id", query.ids);
  where.oneOf("url", query.urls);
  where.startsWith("url", query.urlPrefixes);
  where.oneOf(HOST, query.hosts);
  where.oneOf(PATH, query.paths);
  where.oneOf("state", query.states);
  where.within("key", STEPS_IN, query.stepStates);
  where.labelled("labels", query.labels);
  where.oneOf("caller_ip", query.callerIps);
  where.oneOf("flow_key", query.flowKeys);
  where.within(
    "key",
    "SELECT run FROM entries WHERE message IN (SELECT value FROM json_each(?))",
    query.messageIds,
  );
  where.namedBy(query.runs);
  where.is("created_at =", query.createdAt);
  where.is("created_at >=", query.from);
  where.is("created_at <=", query.to);
  where.after("key", query);
  return await tx.all<RunRow>(
    `SELECT * FROM runs ${where.sql} ORDER BY key ${direction(query)} LIMIT ?`,
    ...where.values,
    query.count + 1,
  );
}

export async function deadLetters(tx: Tx, query: DeadLetterQuery): Promise<Page<DeadLetter>> {
  const where = new Conditions();
  where.anyOf(["dlq.removed = 0"]);
  where.oneOf("dlq.id", query.dlqIds);
  whereMessage(where, query);
  where.oneOf("runs.id", query.runIds);
  where.is("runs.created_at =", query.runCreatedAt);
  where.oneOf("runs.url", query.workflowUrls);
  where.oneOf("coalesce(dlq.status, 0)", query.statuses);
  where.anyOf(query.callbackStates && [...new Set(query.callbackStates)].map((state) => CALLBACK[state]));
  if (query.ofRuns) where.anyOf(["dlq.run IS NOT NULL"]);
  if (query.ofMessages) where.anyOf(["dlq.run IS NULL"]);
  where.is("dlq.created_at >=", query.from);
  where.is("dlq.created_at <=", query.to);
  where.after("dlq.seq", query);
  const rows = await tx.all<DeadLetterRow & { readonly seq: number }>(
    `SELECT ${DEAD_LETTER} FROM dlq
     JOIN messages ON messages.seq = dlq.message
     LEFT JOIN runs ON runs.key = dlq.run
     LEFT JOIN messages AS callback ON callback.seq = dlq.callback
     ${where.sql} ORDER BY dlq.seq ${direction(query)} LIMIT ?`,
    ...where.values,
    query.count + 1,
  );
  return page(
    rows,
    query.count,
    (row) => row.seq,
    async (row) => await deadLetter(tx, row),
    ({ body, failure }) => (body?.length ?? 0) + (failure.reply?.body.length ?? 0),
  );
}

const UNHANDLED = `instr(lower(coalesce(callback.reply_headers, '')), '"${HEADER.noFailureFunction.toLowerCase()}"') > 0`;

/** What the states of reports are in the table. */
const CALLBACK: Record<CallbackState, string> = {
  CALLBACK_INPROGRESS: "callback.state IN ('CREATED', 'ACTIVE', 'RETRY')",
  CALLBACK_SUCCESS: `callback.state = 'DELIVERED' AND NOT ${UNHANDLED}`,
  CALLBACK_FAIL: "callback.state = 'FAILED'",
  CALLBACK_CANCELED: "callback.state = 'CANCELLED'",
};
