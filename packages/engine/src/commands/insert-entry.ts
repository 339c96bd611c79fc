import type { CallType } from "@perdure/core/protocol";
import type { NewMessage } from "../rules/message.ts";
import { inherit, type Run } from "../rules/run.ts";
import { nextPosition } from "../store/tables/entries.ts";
import { sql, type Tx } from "../store/tx.ts";
import { insertMessage } from "./insert-message.ts";

/** An entry of a run's history. */
export interface NewEntry {
  /** The entry's key, unique within its run. */
  readonly key: string;
  readonly callType: CallType;
  /** The name of the step, for a record of one. */
  readonly step?: string | undefined;
  readonly body: Uint8Array;
}

/**
 * Adds an entry to a run's history and stores its delivery, unless the run has an entry with this key already.
 *
 * @returns whether it is new
 */
export async function insertEntry(
  tx: Tx,
  run: Pick<Run, "key" | "config" | "capabilities">,
  { key, callType, step, body }: NewEntry,
  message: NewMessage,
): Promise<boolean> {
  const entry = await tx.one<{ seq: number }>(
    sql`INSERT INTO entries (run, position, record, message, call_type, step, body, created_at)
      VALUES (${run.key}, ${nextPosition(run.key)}, ${key}, ${message.id}, ${callType}, ${step ?? null}, ${body}, ${message.createdAt})
      ON CONFLICT (run, record) DO NOTHING RETURNING seq`,
  );
  if (!entry) return false;
  await insertMessage(tx, toDelivery(message, run), { run: run.key, entry: entry.seq });
  return true;
}

/** A call has its own policy, except for redaction. Every other delivery has the policy of its run. */
function toDelivery(message: NewMessage, run: Pick<Run, "config" | "capabilities">): NewMessage {
  if (message.kind !== "call") return inherit(message, run);
  return { ...message, redact: message.redact ?? run.config.redact };
}
