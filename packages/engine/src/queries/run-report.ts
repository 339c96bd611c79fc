import type { Run } from "../rules/run.ts";
import { MESSAGES, type MessageRow } from "../store/tables/rows.ts";
import { runOf } from "../store/tables/runs.ts";
import { sql, type Tx } from "../store/tx.ts";

/** A failed run with the message that reports its failure. */
export interface RunReport {
  readonly run: Run;
  readonly report: MessageRow;
}

/**
 * The run of a dead letter, with its report. `undefined` for the dead letter of a message, and for an unknown
 * dead letter.
 */
export async function runReport(tx: Tx, dlqId: string): Promise<RunReport | undefined> {
  const letter = await tx.one<{ run: number | null; callback: number | null }>(
    sql`SELECT run, callback FROM dlq WHERE id = ${dlqId} AND removed = 0`,
  );
  const run = await runOf(tx, letter?.run ?? null);
  const report = await tx.one<MessageRow>(sql`${MESSAGES} WHERE messages.seq = ${letter?.callback ?? null}`);
  return run && report && { run, report };
}
