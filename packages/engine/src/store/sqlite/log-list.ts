import type { LogState } from "../../domain/log.ts";
import type { LogEntry, LogQuery, Page } from "../lists.ts";
import { Conditions, direction, HOST, PATH, page, whereMessage } from "./conditions.ts";
import type { Database } from "./database.ts";
import { runOf } from "./messages.ts";
import { bodyOf } from "./read.ts";
import { type FailureRow, type MessageRow, toFailure, toMessage } from "./rows.ts";

interface LogRow {
  readonly seq: number;
  readonly message: number;
  readonly state: LogState;
  readonly at: number;
  readonly attempt: number | null;
  readonly due_at: number | null;
}

export function logs(db: Database, query: LogQuery): Page<LogEntry> {
  const where = new Conditions();
  whereMessage(where, query);
  where.oneOf(HOST, query.hosts);
  where.oneOf(PATH, query.paths);
  where.oneOf("logs.state", query.states);
  where.is("logs.at >=", query.from);
  where.is("logs.at <=", query.to);
  where.after("logs.seq", query);
  const rows = db.all<LogRow>(
    `SELECT logs.* FROM logs JOIN messages ON messages.seq = logs.message
     ${where.sql} ORDER BY logs.seq ${direction(query)} LIMIT ?`,
    ...where.values,
    query.count + 1,
  );
  // Most of a page's entries are of messages that it has others of.
  const known = new Map<number, ReturnType<typeof messageOf>>();
  const toEntry = (row: LogRow): LogEntry => {
    const of = known.get(row.message) ?? messageOf(db, row.message);
    known.set(row.message, of);
    return {
      ...of,
      at: row.at,
      state: row.state,
      failure: failureOf(db, row),
      nextDelivery: row.due_at ?? undefined,
    };
  };
  return page(
    rows,
    query.count,
    (row) => row.seq,
    toEntry,
    ({ body }) => body?.length ?? 0,
  );
}

function messageOf(db: Database, seq: number): Pick<LogEntry, "message" | "run" | "body"> {
  const row = db.get<MessageRow>("SELECT * FROM messages WHERE seq = ?", seq) as MessageRow;
  return { message: toMessage(row), run: runOf(db, row.run), body: bodyOf(db, row) };
}

function failureOf(db: Database, { message, attempt }: LogRow): LogEntry["failure"] {
  if (attempt === null) return undefined;
  const row = db.get<FailureRow>(
    "SELECT * FROM failures WHERE message = ? AND retried = ?",
    message,
    attempt,
  );
  return row && toFailure(row);
}
