import { type AttemptEntry, isKeyOf } from "@perdure/core/protocol";
import { toText } from "../rules/bytes.ts";
import { readRecord } from "../rules/record.ts";
import { openRetries, readAttempt, type StepEvent } from "../rules/step-attempt.ts";
import { recordsOf } from "../store/tables/entries.ts";
import { sql, type Tx } from "../store/tx.ts";

/** The steps of an inline run that have failed and will be tried again. */
export async function openRetriesOf(tx: Tx, run: number): Promise<AttemptEntry[]> {
  const rows = await tx.all<{ record: string; body: Uint8Array }>(
    sql`SELECT record, body FROM entries WHERE run = ${run}
      AND position >= (SELECT min(position) FROM entries WHERE run = ${run} AND ${recordsOf("attempt")})
      AND ((${recordsOf("attempt")}) OR (${recordsOf("result")})) ORDER BY position`,
  );
  return openRetries(
    rows.map(
      ({ record, body }): StepEvent =>
        isKeyOf("attempt", record)
          ? { kind: "attempt", entry: readAttempt(body) }
          : { kind: "result", record: readRecord(toText(body)) },
    ),
  );
}
