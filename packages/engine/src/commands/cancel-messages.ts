import { Conditions, whereMessage } from "../queries/conditions.ts";
import type { CanceledMessages, MessageQuery } from "../store/lists.ts";
import { IS_UNFINISHED } from "../store/tables/due.ts";
import { sql, type Tx } from "../store/tx.ts";
import { cancelLocked, lockMessages } from "./cancel-message.ts";

/** Cancels the messages that match and aren't at their end, the newest first, `query.count` at most. */
export async function cancelMessages(tx: Tx, query: MessageQuery): Promise<CanceledMessages> {
  const found = await findUnfinished(tx, query);
  const rows = found.slice(0, query.count);
  await lockMessages(
    tx,
    rows.map(({ id }) => id),
  );
  // A message may have ended with the run whose last other message this loop has cancelled.
  for (const { id } of rows) await cancelLocked(tx, id);
  const next = found.length > rows.length ? rows.at(-1)?.seq : undefined;
  return { canceled: rows.length, next };
}

/** The messages that match, and one more when there is another page. */
async function findUnfinished(tx: Tx, query: MessageQuery): Promise<{ seq: number; id: string }[]> {
  const where = new Conditions();
  where.all(IS_UNFINISHED);
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
