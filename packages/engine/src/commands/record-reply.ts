import type { Reply } from "../rules/message.ts";
import { sql, type Tx } from "../store/tx.ts";

/** Stores the answer to a report: lists and logs show it. */
export async function recordReply(tx: Tx, seq: number, { status, headers, body }: Reply): Promise<void> {
  tx.send(
    sql`UPDATE messages SET reply_status = ${status}, reply_headers = ${JSON.stringify(headers)}, reply_body = ${body}
      WHERE seq = ${seq}`,
  );
}
