import type { Failure } from "../rules/message.ts";
import { logState } from "../store/tables/logs.ts";
import type { MessageRow } from "../store/tables/rows.ts";
import { sql, type Tx } from "../store/tx.ts";

/** Records a failed attempt at a message. @param excerpt bytes of the answer that the record keeps */
export async function recordFailure(
  tx: Tx,
  row: MessageRow,
  failure: Failure,
  excerpt: number,
): Promise<void> {
  const { at, error, byEngine, reply } = failure;
  const headers = reply ? JSON.stringify(reply.headers) : null;
  tx.send(
    sql`INSERT INTO failures (message, retried, at, error, by_engine, status, headers, body)
      VALUES (${row.seq}, ${row.retried}, ${at}, ${error}, ${byEngine ? 1 : 0}, ${reply?.status ?? null}, ${headers},
        ${reply?.body.subarray(0, excerpt) ?? null})`,
  );
  await logState(tx, row, "ERROR", { attempt: row.retried });
}
