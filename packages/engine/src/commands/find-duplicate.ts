import { createHash } from "node:crypto";
import type { PublishMessage } from "../rules/command.ts";
import type { Deduplication } from "../rules/deduplication.ts";
import type { Receipt } from "../store/receipt.ts";
import { sql, type Tx } from "../store/tx.ts";

/**
 * The receipt of an earlier message with the same deduplication key. Without one, later messages with the key are
 * duplicates of this message from now on.
 */
export async function findDuplicate(
  tx: Tx,
  { message, deduplication }: PublishMessage,
): Promise<Receipt | undefined> {
  if (!deduplication) return undefined;
  const { until } = deduplication;
  const key = keyOfDuplicates(deduplication);
  await tx.lock("deduplication", key);
  const known = await tx.one<{ message: string; url: string }>(
    sql`SELECT message, url FROM deduplications WHERE key = ${key} AND until > ${message.createdAt}`,
  );
  if (known) return { messageId: known.message, url: known.url, deduplicated: true, run: undefined };
  tx.send(
    sql`INSERT INTO deduplications (key, message, url, until) VALUES (${key}, ${message.id}, ${message.url}, ${until})
      ON CONFLICT (key) DO UPDATE SET message = excluded.message, url = excluded.url, until = excluded.until`,
  );
  return undefined;
}

/** Bytes of a key that is stored as it is: an index of PostgreSQL takes about 2700. */
const MAX_KEY_BYTES = 1000;

/** The engine keeps the hash of a content and not the content, which it deletes after the delivery, and that of a long key. */
export function keyOfDuplicates({ key, content = new Uint8Array() }: Deduplication): string {
  if (content.length === 0 && Buffer.byteLength(key) <= MAX_KEY_BYTES) return key;
  return createHash("sha256").update(key).update("\n").update(content).digest("base64url");
}
