import { Problem } from "../../domain/problem.ts";
import type { Run, RunConfig, RunDraft } from "../../domain/run.ts";
import type { Database, Due } from "./database.ts";
import { type RunRow, toJson, toLabels, toRun } from "./rows.ts";

/** @param parent the run that waits for its end */
export function insertRun(db: Database, run: RunDraft, due: Due, parent?: Run): Run {
  // An id and the time of its creation name a run in the logs: a successor is never as old as its predecessor.
  const last = db.get<{ at: number | null }>("SELECT max(created_at) AS at FROM runs WHERE id = ?", run.id);
  const createdAt = Math.max(run.createdAt, (last?.at ?? 0) + 1);
  const deadline = deadlineOf(createdAt, run.config);
  const { key } = db.run(
    `INSERT INTO runs (id, url, state, created_at, caller_ip, labels, config, announced, invoker, parent,
       parent_record, flow_key, deadline)
     VALUES (?, ?, 'RUN_STARTED', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    run.id,
    run.url,
    createdAt,
    run.callerIp,
    toLabels(run.config.labels),
    JSON.stringify(run.config),
    run.announced ? 1 : 0,
    toJson(run.invoker),
    parent?.key ?? null,
    (parent && run.invoker?.key) ?? null,
    run.config.flow?.key ?? null,
    deadline,
  );
  db.tally.add({ of: "run", state: "RUN_STARTED", count: 1 });
  if (deadline !== null) due(deadline);
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
export function latestRun(db: Database, id: string): Run | undefined {
  const row = db.get<RunRow>("SELECT * FROM runs WHERE id = ? ORDER BY key DESC LIMIT 1", id);
  return row && toRun(row);
}

/** Why nothing can be done with a run that was asked for by its id. */
export function notLive(db: Database, id: string, consequence: string): Problem {
  const last = db.get<{ state: string }>("SELECT state FROM runs WHERE id = ? ORDER BY key DESC LIMIT 1", id);
  const why = last ? `has ended (${last.state})` : "doesn't exist";
  return new Problem(400, `workflow run ${id} ${why}: ${consequence}`);
}
