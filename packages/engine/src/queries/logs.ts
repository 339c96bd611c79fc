import type { LogState } from "../rules/log.ts";
import type { Failure } from "../rules/message.ts";
import type { LogEntry, LogQuery, Page } from "../store/lists.ts";
import { type FailureRow, toFailure, toMessage } from "../store/tables/rows.ts";
import { numbers, sql, type Tx } from "../store/tx.ts";
import { Conditions, direction, page, whereMessage } from "./conditions.ts";
import { bodyOf, entryBodies, messagesOf, runsByKey } from "./read.ts";

interface LogRow {
  readonly seq: number;
  readonly message: number;
  readonly state: LogState;
  readonly at: number;
  readonly attempt: number | null;
  readonly due_at: number | null;
  /** Size of the message's body. */
  readonly bytes: number;
}

export async function logs(tx: Tx, query: LogQuery): Promise<Page<LogEntry>> {
  const where = new Conditions();
  whereMessage(where, query);
  where.oneOf(sql`messages.host`, query.hosts);
  where.oneOf(sql`messages.path`, query.paths);
  where.oneOf(sql`logs.state`, query.states);
  where.is(sql`logs.at >=`, query.from);
  where.is(sql`logs.at <=`, query.to);
  where.after(sql`logs.seq`, query);
  const found = await tx.all<LogRow>(
    sql`SELECT logs.*, coalesce(length(messages.body), 0) AS bytes
      FROM logs JOIN messages ON messages.seq = logs.message
      ${where.sql} ORDER BY logs.seq ${direction(query)} LIMIT ${query.count + 1}`,
  );
  const { rows, next } = page(
    found,
    query.count,
    (row) => row.seq,
    ({ bytes }) => ({ bytes }),
  );
  const seqs = [...new Set(rows.map((row) => row.message))];
  const messages = await messagesOf(tx, { seqs });
  const runs = await runsByKey(tx, [...messages.values()]);
  const bodies = await entryBodies(tx, [...messages.values()]);
  const failures = await attemptsOf(tx, rows);
  const items = rows.flatMap((row): LogEntry[] => {
    const of = messages.get(row.message);
    if (!of) return [];
    return [
      {
        message: toMessage(of),
        run: of.run === null ? undefined : runs.get(of.run),
        body: bodyOf(of, bodies),
        at: row.at,
        state: row.state,
        failure: row.attempt === null ? undefined : failures.get(`${row.message} ${row.attempt}`),
        nextDelivery: row.due_at ?? undefined,
      },
    ];
  });
  return { items, next };
}

/** The failed attempts, by the keys of their messages and the number of earlier failures. */
async function attemptsOf(tx: Tx, rows: readonly LogRow[]): Promise<Map<string, Failure>> {
  const seqs = rows.filter(({ attempt }) => attempt !== null).map(({ message }) => message);
  if (seqs.length === 0) return new Map();
  const failures = await tx.all<FailureRow & { readonly message: number; readonly retried: number }>(
    sql`SELECT * FROM failures WHERE message IN (${numbers(seqs)})`,
  );
  return new Map(failures.map((row) => [`${row.message} ${row.retried}`, toFailure(row)]));
}
