import { placeOf } from "../../rules/destination.ts";
import { EngineError } from "../../rules/engine-error.ts";
import type { NewRun, Run, RunConfig } from "../../rules/run.ts";
import { insert, sql, type Tx } from "../tx.ts";
import { type RunRow, toJson, toRun } from "./rows.ts";

/** @param parent the run that waits for its end */
export async function insertRun(tx: Tx, run: NewRun, parent?: Run): Promise<Run> {
  // An id and the time of its creation name a run in the logs: a successor is never as old as its predecessor.
  const last = await tx.one<{ at: number | null }>(
    sql`SELECT max(created_at) AS at FROM runs WHERE id = ${run.id}`,
  );
  const createdAt = Math.max(run.createdAt, (last?.at ?? 0) + 1);
  const deadline = deadlineOf(createdAt, run.config);
  const { host, path } = placeOf(run.url);
  const key = await insert(
    tx,
    sql`INSERT INTO runs (id, url, host, path, state, created_at, caller_ip, config, awaiting_configuration, invoker, parent,
        parent_record, flow_key, deadline)
      VALUES (${run.id}, ${run.url}, ${host}, ${path}, 'RUN_STARTED', ${createdAt}, ${run.callerIp},
        ${JSON.stringify(run.config)}, ${run.awaitingConfiguration ? 1 : 0}, ${toJson(run.invoker)}, ${parent?.key ?? null},
        ${(parent && run.invoker?.key) ?? null}, ${run.config.flow?.key ?? null}, ${deadline})
      RETURNING key`,
  );
  await labelRun(tx, key, run.config.labels);
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
    capabilities: undefined,
    identified: false,
    origin: undefined,
    inline: false,
    leaseNumber: 0,
    holder: undefined,
    inProgress: undefined,
  };
}

/** Makes a run found by its labels. */
export async function labelRun(tx: Tx, run: number, labels: readonly string[]): Promise<void> {
  for (const label of new Set(labels)) {
    await tx.run(sql`INSERT INTO run_labels (label, run) VALUES (${label}, ${run})`);
  }
}

/** When a run has failed unless it has ended; null: never. */
export function deadlineOf(createdAt: number, { lifetime }: RunConfig): number | null {
  return lifetime === undefined ? null : createdAt + lifetime;
}

/** The live run of an id. */
export async function liveRun(tx: Tx, id: string): Promise<Run | undefined> {
  const row = await tx.one<RunRow>(sql`SELECT * FROM runs WHERE id = ${id} AND state = 'RUN_STARTED'`);
  return row && toRun(row);
}

/** The last of the runs that had an id, or the one that was created at `createdAt`. */
export async function latestRun(tx: Tx, id: string, createdAt?: number): Promise<Run | undefined> {
  const row = await tx.one<RunRow>(
    sql`SELECT * FROM runs WHERE id = ${id} AND created_at = coalesce(${createdAt ?? null}, created_at)
      ORDER BY key DESC LIMIT 1`,
  );
  return row && toRun(row);
}

/** Why nothing can be done with a run that was asked for by its id. */
export async function notLive(tx: Tx, id: string, consequence: string): Promise<EngineError> {
  const last = await tx.one<{ state: string }>(
    sql`SELECT state FROM runs WHERE id = ${id} ORDER BY key DESC LIMIT 1`,
  );
  const why = last ? `has ended (${last.state})` : "doesn't exist";
  return new EngineError("conflict", `workflow run ${id} ${why}: ${consequence}`);
}
