import { Conditions, whereMessage } from "../queries/conditions.ts";
import type { CanceledMessages, MessageQuery } from "../store/lists.ts";
import { sql, type Tx } from "../store/tx.ts";
import { cancelMessage } from "./cancel.ts";

/**
 * Cancels messages that are not at their end, the newest first, `count` at most, and the runs that are left with nothing
 * pending.
 */
export async function cancelMessages(tx: Tx, query: MessageQuery): Promise<CanceledMessages> {
  const found = await pending(tx, query);
  const rows = found.slice(0, query.count);
  // A message may be gone by now, with the run whose last other message it was.
  for (const { id } of rows) await cancelMessage(tx, id);
  const next = found.length > rows.length ? rows.at(-1)?.seq : undefined;
  return { canceled: rows.length, next };
}

async function pending(tx: Tx, query: MessageQuery): Promise<{ seq: number; id: string }[]> {
  const where = new Conditions();
  where.all(sql`due.status <> 'withdrawn'`);
  whereMessage(where, query);
  where.oneOf(sql`messages.host`, query.hosts);
  where.oneOf(sql`messages.path`, query.paths);
  where.is(sql`messages.created_at >=`, query.from);
  where.is(sql`messages.created_at <=`, query.to);
  where.is(sql`messages.seq <`, query.before);
  return tx.all(
    sql`SELECT messages.seq, messages.id FROM due JOIN messages ON messages.seq = due.message
      ${where.sql} ORDER BY messages.seq DESC LIMIT ${query.count + 1}`,
  );
}
