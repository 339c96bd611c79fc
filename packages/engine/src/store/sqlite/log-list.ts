import type { LogState } from "../../domain/log.ts";
import type { LogEntry, LogQuery, Page } from "../lists.ts";
import { sql, type Tx } from "../tx.ts";
import { Conditions, direction, HOST, PATH, page, whereMessage } from "./conditions.ts";
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

export async function logs(tx: Tx, query: LogQuery): Promise<Page<LogEntry>> {
  const where = new Conditions();
  whereMessage(where, query);
  where.oneOf(HOST, query.hosts);
  where.oneOf(PATH, query.paths);
  where.oneOf(sql`logs.state`, query.states);
  where.is(sql`logs.at >=`, query.from);
  where.is(sql`logs.at <=`, query.to);
  where.after(sql`logs.seq`, query);
  const rows = await tx.all<LogRow>(
    sql`SELECT logs.* FROM logs JOIN messages ON messages.seq = logs.message
     ${where.sql} ORDER BY logs.seq ${direction(query)} LIMIT ${query.count + 1}`,
  );
  // Most of a page's entries are of messages that it has others of.
  const known = new Map<number, Awaited<ReturnType<typeof messageOf>>>();
  const toEntry = async (row: LogRow): Promise<LogEntry> => {
    const of = known.get(row.message) ?? (await messageOf(tx, row.message));
    known.set(row.message, of);
    return {
      ...of,
      at: row.at,
      state: row.state,
      failure: await failureOf(tx, row),
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

async function messageOf(tx: Tx, seq: number): Promise<Pick<LogEntry, "message" | "run" | "body">> {
  const row = (await tx.one<MessageRow>(sql`SELECT * FROM messages WHERE seq = ${seq}`)) as MessageRow;
  return { message: toMessage(row), run: await runOf(tx, row.run), body: await bodyOf(tx, row) };
}

async function failureOf(tx: Tx, { message, attempt }: LogRow): Promise<LogEntry["failure"]> {
  if (attempt === null) return undefined;
  const row = await tx.one<FailureRow>(
    sql`SELECT * FROM failures WHERE message = ${message} AND retried = ${attempt}`,
  );
  return row && toFailure(row);
}
