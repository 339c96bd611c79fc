import type { InlineAnswer } from "@perdure/core/protocol";
import type { AppendInline } from "../rules/inline-append.ts";
import type { Run, RunState } from "../rules/run.ts";
import type { InProgress, RunLease } from "../rules/run-lease.ts";
import * as inOrder from "../store/in-order.ts";
import { repeatedKey } from "../store/tables/entries.ts";
import { IS_LIVE, runOf } from "../store/tables/runs.ts";
import { sql, type Tx } from "../store/tx.ts";
import { noteInline } from "./hold-run.ts";
import { type HeldRun, insertInline, lockWithChildren } from "./insert-inline.ts";
import { recordEndpoint } from "./record-endpoint.ts";

/**
 * Appends the records of invocations to the histories of their runs, all of them or none. Each append is checked and
 * stored under the lock of its run; the answers are in the order of the appends.
 *
 * @throws EngineError when the records of an append can't be accepted: then the caller stores each append alone
 */
export async function appendInline(tx: Tx, appends: readonly AppendInline[]): Promise<InlineAnswer[]> {
  await lockWithChildren(
    tx,
    appends.map(({ lease }) => lease.runId),
    appends.flatMap(({ entries }) => entries),
  );
  // Results need no further lock: the appends to different runs don't wait for each other.
  const isPlain = appends.every(({ entries }) => entries.every(({ kind }) => kind !== "ask"));
  if (!isPlain) return inOrder.map(appends, (append) => appendOne(tx, append));
  return inOrder.mapByKey(
    appends,
    ({ lease }) => lease.runId,
    (append) => appendOne(tx, append),
  );
}

/**
 * Appends the records of an invocation, if the invocation still has the right to: the lease is checked by the statement
 * that writes which steps are under way. A delivery may arrive twice; the lease belongs to the first of its invocations that
 * appends. Repeating an append changes nothing, and gets the same answer.
 */
async function appendOne(
  tx: Tx,
  { lease, invocation, underWay, capabilities, ...records }: AppendInline,
): Promise<InlineAnswer> {
  const { runId, createdAt, number } = lease;
  const inProgress: InProgress = { lease: number, steps: underWay };
  const held = await tx.one<HeldRow>(
    sql`UPDATE run_leases SET in_progress = ${JSON.stringify(inProgress)}, invocation = ${invocation}
      WHERE run = (SELECT key FROM runs WHERE id = ${runId} AND created_at = ${createdAt} AND ${IS_LIVE})
        AND number = ${number} AND holder IS NOT NULL AND coalesce(invocation, ${invocation}) = ${invocation}
      RETURNING run, (SELECT inline FROM runs WHERE key = run_leases.run) AS inline,
        (SELECT capabilities FROM runs WHERE key = run_leases.run) AS capabilities,
        (SELECT max(position) FROM entries WHERE run = run_leases.run) AS last,
        ${repeatedKey(
          sql`run_leases.run`,
          records.entries.map(({ key: record }) => record),
          records.after,
        )} AS repeated`,
  );
  if (!held) return refusal(tx, lease);
  const { run: key, inline, last, repeated } = held;
  if (inline === 0) await noteInline(tx, key, true);
  tx.count({ of: "inline", state: "appends", count: 1 });
  const whole = async (): Promise<Run> => (await runOf(tx, key)) as Run;
  if (capabilities !== undefined && capabilities !== held.capabilities)
    await recordEndpoint(tx, await whole(), { capabilities, identified: undefined });
  return { news: await insertInline(tx, { key, id: runId, lease: number, last, repeated, whole }, records) };
}

/** The run that an append has found under its lease. */
interface HeldRow extends Pick<HeldRun, "last" | "repeated"> {
  readonly run: number;
  readonly inline: number;
  readonly capabilities: string | null;
}

async function refusal(tx: Tx, { runId, createdAt }: RunLease): Promise<InlineAnswer> {
  const run = await tx.one<{ state: RunState }>(
    sql`SELECT state FROM runs WHERE id = ${runId} AND created_at = ${createdAt}`,
  );
  if (run && run.state !== "RUN_STARTED") return { error: "run_over", state: run.state };
  tx.count({ of: "inline", state: "lease_lost", count: 1 });
  return { error: "lease_lost" };
}
