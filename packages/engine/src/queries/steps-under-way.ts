import { type CallType, HEADER } from "@perdure/core/protocol";
import { failedStepIn, firstValue } from "../rules/header.ts";
import type { Ended } from "../rules/rollback.ts";
import type { Run } from "../rules/run.ts";
import { mayHaveBegun } from "../rules/run-lease.ts";
import { sql, type Tx } from "../store/tx.ts";

const CALL: CallType = "toCallback";

/**
 * Whether an ended run may have begun steps that have no record, and which ones, if its endpoint named them.
 */
export async function stepsUnderWay(
  tx: Tx,
  { key, inline, inProgress }: Run,
): Promise<Pick<Ended, "begun" | "underWay">> {
  if (!inline) return { begun: await lastHasBegun(tx, key) };
  const begun = mayHaveBegun(inProgress);
  if (!begun || !inProgress || inProgress.steps === "unknown") return { begun };
  return { begun, underWay: inProgress.steps };
}

/**
 * Whether an ended run may have begun a step that has no record: whether any attempt at its last delivery
 * ended without an answer that names its step.
 */
async function lastHasBegun(tx: Tx, run: number): Promise<boolean> {
  const last = await tx.one<{ seq: number | null; fence: number | null }>(
    sql`SELECT messages.seq, coalesce(due.fence, messages.attempts) AS fence FROM entries
      LEFT JOIN messages ON messages.id = entries.message LEFT JOIN due ON due.message = messages.seq
      WHERE entries.run = ${run} AND entries.call_type <> ${CALL} ORDER BY entries.position DESC LIMIT 1`,
  );
  // A message that no longer exists was delivered.
  if (!last || last.seq === null || last.fence === null) return true;
  if (last.fence === 0) return false;
  const starts = (
    await tx.all<{ headers: string }>(
      sql`SELECT headers FROM failures WHERE message = ${last.seq} AND status >= 300 AND headers IS NOT NULL`,
    )
  )
    .map(({ headers }) => JSON.parse(headers) as Record<string, string[]>)
    .filter((headers) => firstValue(headers, HEADER.sdkVersion) !== undefined);
  if (starts.length < last.fence) return true;
  const final = (await tx.one<{ headers: string | null }>(sql`SELECT headers FROM dlq WHERE run = ${run}`))
    ?.headers;
  const failed = failedStepIn(JSON.parse(final ?? "{}"));
  return starts.some((headers) => ![undefined, failed].includes(failedStepIn(headers)));
}
