import { createHash } from "node:crypto";
import type { PublishMessage } from "../rules/command.ts";
import type { Deduplication } from "../rules/deduplication.ts";
import type { Receipt } from "../store/receipt.ts";
import { sql, type Tx } from "../store/tx.ts";

/** The receipt of the message that stands for this one; from now on it is this one itself where there is none. */
export async function findDuplicate(
  tx: Tx,
  { message, deduplication }: PublishMessage,
): Promise<Receipt | undefined> {
  if (!deduplication) return undefined;
  const { until } = deduplication;
  const key = keyOf(deduplication);
  await tx.lock("deduplication", key);
  const known = await tx.one<{ message: string; url: string }>(
    sql`SELECT message, url FROM deduplications WHERE key = ${key} AND until > ${message.createdAt}`,
  );
  if (known) return { messageId: known.message, url: known.url, deduplicated: true, run: undefined };
  await tx.run(
    sql`INSERT INTO deduplications (key, message, url, until) VALUES (${key}, ${message.id}, ${message.url}, ${until})
      ON CONFLICT (key) DO UPDATE SET message = excluded.message, url = excluded.url, until = excluded.until`,
  );
  return undefined;
}

/** Contents are kept as hashes: of what was delivered nothing else stays. */
function keyOf({ key, content }: Deduplication): string {
  if (!content) return key;
  return createHash("sha256").update(key).update("\n").update(content).digest("base64url");
}

/** Deletes the keys that ended by `until`. @returns how many: `limit` at most */
export async function sweepDeduplications(tx: Tx, until: number, limit: number): Promise<number> {
  return tx.run(
    sql`DELETE FROM deduplications WHERE key IN
      (SELECT key FROM deduplications WHERE until <= ${until} ORDER BY until LIMIT ${limit})`,
  );
}
