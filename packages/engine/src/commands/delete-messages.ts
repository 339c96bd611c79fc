import { numbers, sql, type Tx } from "../store/tx.ts";

/** Deletes those of the messages that are at their end and that neither the log nor a dead letter refers to. */
export async function deleteUnreferenced(tx: Tx, messages: readonly number[]): Promise<void> {
  if (messages.length === 0) return;
  const rows = await tx.all<{ seq: number }>(
    sql`SELECT seq FROM messages WHERE seq IN (${numbers(messages)}) AND outcome IS NOT NULL
       AND NOT EXISTS (SELECT 1 FROM logs WHERE message = messages.seq)
       AND NOT EXISTS (SELECT 1 FROM dlq WHERE message = messages.seq)
       AND NOT EXISTS (SELECT 1 FROM dlq WHERE callback = messages.seq)`,
  );
  await deleteMessages(
    tx,
    rows.map(({ seq }) => seq),
  );
}

/** Deletes messages that are at their end, with everything that is stored about them. */
export async function deleteMessages(tx: Tx, messages: readonly number[]): Promise<void> {
  if (messages.length === 0) return;
  const seqs = numbers(messages);
  tx.send(sql`DELETE FROM logs WHERE message IN (${seqs})`);
  tx.send(sql`DELETE FROM failures WHERE message IN (${seqs})`);
  tx.send(sql`DELETE FROM message_labels WHERE message IN (${seqs})`);
  tx.send(sql`DELETE FROM due WHERE message IN (${seqs})`);
  tx.send(sql`DELETE FROM messages WHERE seq IN (${seqs})`);
}
