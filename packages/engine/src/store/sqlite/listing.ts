import type { SQLInputValue } from "node:sqlite";
import { HEADER } from "@perdure/core/protocol";
import type { Run } from "../../domain/run.ts";
import type { CallbackState, DeadLetter, DeadLetterQuery, Page, RunLog, RunQuery } from "../lists.ts";
import type { Database } from "./database.ts";
import { DEAD_LETTER, type DeadLetterRow, deadLetter, runLog } from "./read.ts";
import { type RunRow, toRun } from "./rows.ts";

export function runs(db: Database, query: RunQuery): Page<RunLog> {
  return page(
    runRows(db, query),
    query.count,
    (row) => row.key,
    (row) => runLog(db, row),
  );
}

/** The newest runs that match, without their logs. */
export function matchingRuns(db: Database, query: RunQuery): Run[] {
  return runRows(db, query).slice(0, query.count).map(toRun);
}

function runRows(db: Database, query: RunQuery): RunRow[] {
  const where = new Conditions();
  where.oneOf("id", query.ids);
  where.oneOf("url", query.urls);
  where.each("substr(url, 1, length(?)) = ?", query.urlPrefixes);
  where.oneOf(HOST, query.hosts);
  where.oneOf(PATH, query.paths);
  where.oneOf("state", query.states);
  where.labelled("labels", query.labels);
  where.oneOf("caller_ip", query.callerIps);
  where.oneOf("flow_key", query.flowKeys);
  where.within("key", "SELECT run FROM entries WHERE message", query.messageIds);
  where.is("created_at =", query.createdAt);
  where.is("created_at >=", query.from);
  where.is("created_at <=", query.to);
  where.is("key <", query.before);
  return db.all<RunRow>(
    `SELECT * FROM runs ${where.sql} ORDER BY key DESC LIMIT ?`,
    ...where.values,
    query.count + 1,
  );
}

export function deadLetters(db: Database, query: DeadLetterQuery): Page<DeadLetter> {
  const where = new Conditions();
  where.anyOf(["dlq.removed = 0"]);
  where.oneOf("dlq.id", query.dlqIds);
  where.oneOf("messages.id", query.messageIds);
  where.oneOf("messages.url", query.urls);
  where.oneOf("runs.id", query.runIds);
  where.is("runs.created_at =", query.runCreatedAt);
  where.oneOf("runs.url", query.workflowUrls);
  where.labelled("messages.labels", query.labels);
  where.oneOf("messages.caller_ip", query.callerIps);
  where.oneOf("messages.flow_key", query.flowKeys);
  where.oneOf("coalesce(dlq.status, 0)", query.statuses);
  where.anyOf(query.callbackStates?.map((state) => CALLBACK[state]));
  if (query.ofRuns) where.anyOf(["dlq.run IS NOT NULL"]);
  where.is("dlq.created_at >=", query.from);
  where.is("dlq.created_at <=", query.to);
  where.is("dlq.seq <", query.before);
  const rows = db.all<DeadLetterRow & { readonly seq: number }>(
    `SELECT ${DEAD_LETTER} FROM dlq
     JOIN messages ON messages.seq = dlq.message
     LEFT JOIN runs ON runs.key = dlq.run
     LEFT JOIN messages AS callback ON callback.seq = dlq.callback
     ${where.sql} ORDER BY dlq.seq DESC LIMIT ?`,
    ...where.values,
    query.count + 1,
  );
  return page(
    rows,
    query.count,
    (row) => row.seq,
    (row) => deadLetter(db, row),
  );
}

// A URL behind its scheme, and of that what is before and behind the first slash; a query isn't part of a path.
const REST = "substr(url, instr(url, '://') + 3)";
const BARE = `substr(${REST}, 1, instr(${REST} || '?', '?') - 1)`;
export const HOST: string = `substr(${BARE}, 1, instr(${BARE} || '/', '/') - 1)`;
export const PATH: string = `CASE WHEN instr(${BARE}, '/') = 0 THEN '/' ELSE substr(${BARE}, instr(${BARE}, '/')) END`;

const UNHANDLED = `instr(lower(coalesce(callback.reply_headers, '')), '"${HEADER.noFailureFunction.toLowerCase()}"') > 0`;

/** What the states of reports are in the table. */
const CALLBACK: Record<CallbackState, string> = {
  CALLBACK_INPROGRESS: "callback.due_at IS NOT NULL",
  CALLBACK_SUCCESS: `callback.state = 'DELIVERED' AND NOT ${UNHANDLED}`,
  CALLBACK_FAIL: "callback.state = 'FAILED'",
  CALLBACK_CANCELED: "callback.state = 'CANCELLED'",
};

/** The filters of a list: what wasn't asked for adds nothing. */
export class Conditions {
  readonly values: SQLInputValue[] = [];
  readonly #conditions: string[] = [];

  get sql(): string {
    return this.#conditions.length > 0 ? `WHERE ${this.#conditions.join(" AND ")}` : "";
  }

  is(comparison: string, value: number | undefined): void {
    if (value === undefined) return;
    this.#conditions.push(`${comparison} ?`);
    this.values.push(value);
  }

  oneOf(column: string, values: readonly (string | number)[] | undefined): void {
    if (!values) return;
    this.#conditions.push(`${column} IN (${values.map(() => "?").join(", ")})`);
    this.values.push(...values);
  }

  /** Any of the values under a condition that takes each of them twice. */
  each(condition: string, values: readonly string[] | undefined): void {
    this.anyOf(values?.map(() => condition));
    for (const value of values ?? []) this.values.push(value, value);
  }

  /** A column's value among those that a query finds by any of `values`. */
  within(column: string, query: string, values: readonly string[] | undefined): void {
    if (!values) return;
    this.#conditions.push(`${column} IN (${query} IN (${values.map(() => "?").join(", ")}))`);
    this.values.push(...values);
  }

  labelled(column: string, labels: readonly string[] | undefined): void {
    if (!labels) return;
    this.anyOf(labels.map(() => `instr(${column}, ?) > 0`));
    this.values.push(...labels.map((label) => `,${label},`));
  }

  anyOf(conditions: readonly string[] | undefined): void {
    if (conditions) this.#conditions.push(`(${conditions.map((one) => `(${one})`).join(" OR ")})`);
  }
}

/** One row more than asked for tells that there is another page. */
function page<Row, Item>(
  rows: readonly Row[],
  count: number,
  place: (row: Row) => number,
  toItem: (row: Row) => Item,
): Page<Item> {
  const shown = rows.slice(0, count);
  const last = shown.at(-1);
  const next = rows.length > count && last !== undefined ? place(last) : undefined;
  return { items: shown.map(toItem), next };
}
