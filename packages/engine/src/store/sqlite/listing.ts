import type { SQLInputValue } from "node:sqlite";
import { HEADER } from "@perdure/core/protocol";
import type { CallbackState, DeadLetter, DeadLetterQuery, Page, RunLog, RunQuery } from "../store.ts";
import type { Database } from "./database.ts";
import { DEAD_LETTER, type DeadLetterRow, deadLetter, runLog } from "./read.ts";
import type { RunRow } from "./rows.ts";

export function runs(db: Database, query: RunQuery): Page<RunLog> {
  const where = new Conditions();
  where.oneOf("id", query.ids);
  where.oneOf("url", query.urls);
  where.oneOf("state", query.states);
  where.labelled("labels", query.labels);
  where.is("created_at =", query.createdAt);
  where.is("created_at >=", query.from);
  where.is("created_at <=", query.to);
  where.is("key <", query.before);
  const rows = db.all<RunRow>(
    `SELECT * FROM runs ${where.sql} ORDER BY key DESC LIMIT ?`,
    ...where.values,
    query.count + 1,
  );
  return page(
    rows,
    query.count,
    (row) => row.key,
    (row) => runLog(db, row),
  );
}

export function deadLetters(db: Database, query: DeadLetterQuery): Page<DeadLetter> {
  const where = new Conditions();
  where.oneOf("dlq.id", query.dlqIds);
  where.oneOf("messages.id", query.messageIds);
  where.oneOf("messages.url", query.urls);
  where.oneOf("runs.id", query.runIds);
  where.is("runs.created_at =", query.runCreatedAt);
  where.oneOf("runs.url", query.workflowUrls);
  where.labelled("messages.labels", query.labels);
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

const UNHANDLED = `instr(lower(coalesce(callback.reply_headers, '')), '"${HEADER.noFailureFunction.toLowerCase()}"') > 0`;

/** What the states of reports are in the table. */
const CALLBACK: Record<CallbackState, string> = {
  CALLBACK_INPROGRESS: "callback.due_at IS NOT NULL",
  CALLBACK_SUCCESS: `callback.state = 'DELIVERED' AND NOT ${UNHANDLED}`,
  CALLBACK_FAIL: "callback.state = 'FAILED'",
  CALLBACK_CANCELED: "callback.state = 'CANCELLED'",
};

/** The filters of a list: what wasn't asked for adds nothing. */
class Conditions {
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
