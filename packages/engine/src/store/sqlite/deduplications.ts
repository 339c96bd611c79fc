import { createHash } from "node:crypto";
import type { Deduplication } from "../../domain/deduplication.ts";
import type { PlainIntake } from "../../domain/intake.ts";
import type { Receipt } from "../store.ts";
import type { Database } from "./database.ts";

/** The receipt of the message that stands for this one; from now on it is this one itself where there is none. */
export function knownAgain(db: Database, { message, deduplication }: PlainIntake): Receipt | undefined {
  if (!deduplication) return undefined;
  const { until } = deduplication;
  const key = keyOf(deduplication);
  const known = db.get<{ message: string; url: string }>(
    "SELECT message, url FROM deduplications WHERE key = ? AND until > ?",
    key,
    message.createdAt,
  );
  if (known) return { messageId: known.message, url: known.url, deduplicated: true, run: undefined };
  db.run(
    "INSERT OR REPLACE INTO deduplications (key, message, url, until) VALUES (?, ?, ?, ?)",
    key,
    message.id,
    message.url,
    until,
  );
  return undefined;
}

/** Contents are kept as hashes: of what was delivered nothing else stays. */
function keyOf({ key, content }: Deduplication): string {
  if (!content) return key;
  return createHash("sha256").update(key).update("\n").update(content).digest("base64url");
}

/** Forgets those whose time is over. @returns how many: `limit` at most */
export function sweepDeduplications(db: Database, now: number, limit: number): number {
  return db.run(
    "DELETE FROM deduplications WHERE key IN (SELECT key FROM deduplications WHERE until <= ? ORDER BY until LIMIT ?)",
    now,
    limit,
  ).changes;
}
