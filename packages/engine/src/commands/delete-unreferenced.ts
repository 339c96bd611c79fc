import { numbers, sql, type Tx } from "../store/tx.ts";

/** Forgets messages that are at their end, as far as neither the log nor a dead letter still tells of them. */
export async function deleteUnreferenced(tx: Tx, messages: readonly number[]): Promise<void> {
  const rows = await tx.all<{
    seq: number;
  }>(sql`SELECT seq FROM messages WHERE seq IN (${numbers(messages)}) AND outcome IS NOT NULL
       AND NOT EXISTS (SELECT 1 FROM logs WHERE message = messages.seq)
       AND NOT EXISTS (SELECT 1 FROM dlq WHERE message = messages.seq)
       AND NOT EXISTS (SELECT 1 FROM dlq WHERE callback = messages.seq)`);
  if (rows.length > 0) await deleteMessages(tx, rows);
}

/** Forgets messages that are at their end, with all that is known of them. */
export async function deleteMessages(tx: Tx, messages: readonly { readonly seq: number }[]): Promise<void> {
  const seqs = numbers(messages.map(({ seq }) => seq));
  await tx.run(sql`DELETE FROM logs WHERE message IN (${seqs})`);
  await tx.run(sql`DELETE FROM failures WHERE message IN (${seqs})`);
  await tx.run(sql`DELETE FROM message_labels WHERE message IN (${seqs})`);
  await tx.run(sql`DELETE FROM due WHERE message IN (${seqs})`);
  await tx.run(sql`DELETE FROM messages WHERE seq IN (${seqs})`);
}
