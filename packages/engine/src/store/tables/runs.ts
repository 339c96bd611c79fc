import { placeOf } from "../../rules/destination.ts";
import { EngineError, notFound } from "../../rules/engine-error.ts";
import { isLive, type NewRun, type Run, type RunConfig, type RunState } from "../../rules/run.ts";
import type { RunChoice } from "../lists.ts";
import { constants, forEach, insert, type Sql, sql, type Tx } from "../tx.ts";
import { type LastEntry, lastPosition } from "./entries.ts";
import { LEASE_COLUMNS, RUNS, type RunRow, toJson, toRun } from "./rows.ts";

/** The condition on `runs` that a run hasn't ended. */
export const IS_LIVE: Sql = sql`state = ${constants<RunState>("RUN_STARTED")}`;

/** The runs that a new run is related to. */
export interface Relatives {
  /** The run that waits for its end. */
  readonly parent?: Run | undefined;
  /** The last run that had its id. */
  readonly previous?: Run | undefined;
}

export async function insertRun(tx: Tx, run: NewRun, { parent, previous }: Relatives = {}): Promise<Run> {
  // An id and the time of its creation name a run in the logs: a run is never as old as the previous one of its id.
  const createdAt = Math.max(run.createdAt, (previous?.createdAt ?? 0) + 1);
  const deadline = deadlineOf(createdAt, run.config);
  const { host, path } = placeOf(run.url);
  const state: RunState = "RUN_STARTED";
  const key = await insert(
    tx,
    sql`INSERT INTO runs (id, url, host, path, state, created_at, caller_ip, config, awaiting_configuration, invoker, parent,
        parent_record, flow_key, deadline)
      VALUES (${run.id}, ${run.url}, ${host}, ${path}, ${state}, ${createdAt}, ${run.callerIp},
        ${JSON.stringify(run.config)}, ${run.awaitingConfiguration ? 1 : 0}, ${toJson(run.invoker)}, ${parent?.key ?? null},
        ${(parent && run.invoker?.key) ?? null}, ${run.config.flow?.key ?? null}, ${deadline})
      RETURNING key`,
  );
  await labelRun(tx, key, run.config.labels);
  tx.count({ of: "run", state, count: 1 });
  if (deadline !== null) tx.wakeAt(deadline);
  return {
    ...run,
    key,
    createdAt,
    state,
    completedAt: undefined,
    response: undefined,
    dlqId: undefined,
    capabilities: undefined,
    identified: false,
    origin: undefined,
    inline: false,
    leaseNumber: 0,
    holder: undefined,
    invocation: undefined,
    inProgress: undefined,
  };
}

/** Stores the labels of a run, by which lists find it. */
export async function labelRun(tx: Tx, run: number, labels: readonly string[]): Promise<void> {
  for (const label of new Set(labels)) {
    await tx.run(sql`INSERT INTO run_labels (label, run) VALUES (${label}, ${run})`);
  }
}

/** When a run that hasn't ended fails, in milliseconds since 1970; `null` for a run without a time limit. */
export function deadlineOf(createdAt: number, { lifetime }: RunConfig): number | null {
  return lifetime === undefined ? null : createdAt + lifetime;
}

/** The live run of an id. Until the transaction ends, no other transaction changes or starts a run of this id. */
export async function lockRun(tx: Tx, id: string): Promise<Run | undefined> {
  await tx.lock("run", id);
  return liveRun(tx, id);
}

/** The live run of an id: the last run of the id, unless it has ended. */
export async function liveRun(tx: Tx, id: string): Promise<Run | undefined> {
  const run = await latestRun(tx, id);
  return run && isLive(run) ? run : undefined;
}

/** The last of the runs that had an id, or the one that was created at `createdAt`. */
export async function latestRun(tx: Tx, id: string, createdAt?: number): Promise<Run | undefined> {
  const row = await tx.one<RunRow>(
    sql`${RUNS} WHERE id = ${id} AND created_at = coalesce(${createdAt ?? null}, created_at)
      ORDER BY key DESC LIMIT 1`,
  );
  return row && toRun(row);
}

/** The run that a caller chooses. @throws EngineError `not_found` */
export async function chosenRun(tx: Tx, { id, createdAt }: RunChoice): Promise<Run> {
  const run = await latestRun(tx, id, createdAt);
  if (run) return run;
  throw notFound(`workflow run ${id}`);
}

/** The run of a key. */
export async function runOf(tx: Tx, key: number | null): Promise<Run | undefined> {
  const row = key === null ? undefined : await tx.one<RunRow>(sql`${RUNS} WHERE key = ${key}`);
  return row && toRun(row);
}

/** A run, and the last entry of its history. */
export interface RunWithEnd {
  readonly run: Run;
  readonly last: Pick<LastEntry, "seq" | "record"> | undefined;
}

interface RunWithEndRow extends RunRow {
  readonly last_seq: number | null;
  readonly last_record: string | null;
}

/** The runs of these keys, by their keys. */
export async function runsWithEnds(tx: Tx, keys: readonly number[]): Promise<Map<number, RunWithEnd>> {
  const rows = await tx.allForEach<RunWithEndRow>(
    forEach(
      { run: "number" },
      keys.map((run) => ({ run })),
      (row, _from, join) => {
        return sql`SELECT runs.*, ${LEASE_COLUMNS}, last.seq AS last_seq, last.record AS last_record
        FROM runs LEFT JOIN run_leases ON run_leases.run = runs.key
          LEFT JOIN entries AS last ON last.run = runs.key AND last.position = ${lastPosition(sql`runs.key`)}${join}
        WHERE runs.key = ${row.run}`;
      },
    ),
  );
  return new Map(rows.map((row) => [row.key, { run: toRun(row), last: toLast(row) }]));
}

function toLast({ last_seq: seq, last_record: record }: RunWithEndRow): RunWithEnd["last"] {
  return seq === null || record === null ? undefined : { seq, record };
}

/** The error for a request that needs a live run. It says whether the run has ended or never existed. */
export async function notLive(tx: Tx, id: string, consequence: string): Promise<EngineError> {
  const last = await latestRun(tx, id);
  const why = last ? `has ended (${last.state})` : "doesn't exist";
  return new EngineError("conflict", `workflow run ${id} ${why}: ${consequence}`);
}
