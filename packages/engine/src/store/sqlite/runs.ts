import { Problem } from "../../domain/problem.ts";
import type { Run, RunConfig, RunDraft } from "../../domain/run.ts";
import { sql, type Tx } from "../tx.ts";
import { type RunRow, toJson, toLabels, toRun } from "./rows.ts";

/** @param parent the run that waits for its end */
export async function insertRun(tx: Tx, run: RunDraft, parent?: Run): Promise<Run> {
  // An id and the time of its creation name a run in the logs: a successor is never as old as its predecessor.
  const last = await tx.one<{ at: number | null }>(
    sql`SELECT max(created_at) AS at FROM runs WHERE id = ${run.id}`,
  );
  const createdAt = Math.max(run.createdAt, (last?.at ?? 0) + 1);
  const deadline = deadlineOf(createdAt, run.config);
  const { key } =
    await tx.run(sql`INSERT INTO runs (id, url, state, created_at, caller_ip, labels, config, announced, invoker, parent,
       parent_record, flow_key, deadline)
     VALUES (${run.id}, ${run.url}, 'RUN_STARTED', ${createdAt}, ${run.callerIp}, ${toLabels(run.config.labels)}, ${JSON.stringify(run.config)}, ${run.announced ? 1 : 0}, ${toJson(run.invoker)}, ${parent?.key ?? null}, ${(parent && run.invoker?.key) ?? null}, ${run.config.flow?.key ?? null}, ${deadline})`);
  tx.count({ of: "run", state: "RUN_STARTED", count: 1 });
  if (deadline !== null) tx.wakeAt(deadline);
  return {
    ...run,
    key,
    createdAt,
    state: "RUN_STARTED",
    completedAt: undefined,
    response: undefined,
    dlqId: undefined,
    traits: undefined,
    identified: false,
  };
}

/** When a run has failed unless it has ended; null: never. */
export function deadlineOf(createdAt: number, { lifetime }: RunConfig): number | null {
  return lifetime === undefined ? null : createdAt + lifetime;
}

/** Of several runs that had this id, the newest one. */
export async function latestRun(tx: Tx, id: string): Promise<Run | undefined> {
  const row = await tx.one<RunRow>(sql`SELECT * FROM runs WHERE id = ${id} ORDER BY key DESC LIMIT 1`);
  return row && toRun(row);
}

/** Why nothing can be done with a run that was asked for by its id. */
export async function notLive(tx: Tx, id: string, consequence: string): Promise<Problem> {
  const last = await tx.one<{ state: string }>(
    sql`SELECT state FROM runs WHERE id = ${id} ORDER BY key DESC LIMIT 1`,
  );
  const why = last ? `has ended (${last.state})` : "doesn't exist";
  return new Problem(400, `workflow run ${id} ${why}: ${consequence}`);
}
