import { placeOf } from "../../rules/destination.ts";
import { EngineError, notFound } from "../../rules/engine-error.ts";
import { isLive, type NewRun, type Run, type RunConfig, type RunState } from "../../rules/run.ts";
import type { RunChoice } from "../lists.ts";
import { constants, forEach, numbers, type Part, type Sql, sql, type Tx } from "../tx.ts";
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

const STARTED: RunState = "RUN_STARTED";

/** The columns of a new run. */
export const NEW_RUN = {
  id: "string",
  url: "string",
  host: "string",
  path: "string",
  createdAt: "number",
  callerIp: "string",
  config: "string",
  awaiting: "number",
  invoker: "string",
  parent: "number",
  record: "string",
  flowKey: "string",
  deadline: "number",
} as const;

/** The row of a new run. */
export function toNewRunRow(run: NewRun, { parent, previous }: Relatives = {}) {
  // An id and the time of its creation name a run in the logs: a run is never as old as the previous one of its id.
  const createdAt = Math.max(run.createdAt, (previous?.createdAt ?? 0) + 1);
  return {
    id: run.id,
    url: run.url,
    ...placeOf(run.url),
    createdAt,
    callerIp: run.callerIp,
    config: JSON.stringify(run.config),
    awaiting: run.awaitingConfiguration ? 1 : 0,
    invoker: toJson(run.invoker),
    parent: parent?.key ?? null,
    record: (parent && run.invoker?.key) ?? null,
    flowKey: run.config.flow?.key ?? null,
    deadline: deadlineOf(createdAt, run.config),
  };
}

/** The insertion of a new run. Its parts may be columns of the clauses that follow it. */
export function insertNewRun(row: Readonly<Record<keyof typeof NEW_RUN, Part>>): Sql {
  return sql`INSERT INTO runs (id, url, host, path, state, created_at, caller_ip, config, awaiting_configuration, invoker, parent,
      parent_record, flow_key, deadline)
    SELECT ${row.id}, ${row.url}, ${row.host}, ${row.path}, ${constants<RunState>(STARTED)}, ${row.createdAt}, ${row.callerIp},
      ${row.config}, ${row.awaiting}, ${row.invoker}, ${row.parent}, ${row.record}, ${row.flowKey}, ${row.deadline}`;
}

/** Counts a new run, and wakes the dispatcher at its time limit. */
export function noteNewRun(tx: Tx, deadline: number | null): void {
  tx.count({ of: "run", state: STARTED, count: 1 });
  if (deadline !== null) tx.wakeAt(deadline);
}

export async function insertRun(tx: Tx, run: NewRun, relatives: Relatives = {}): Promise<Run> {
  const row = toNewRunRow(run, relatives);
  const inserted = forEach(NEW_RUN, [row], (each, from) => sql`${insertNewRun(each)}${from} RETURNING key`);
  const [{ key }] = (await tx.allForEach(inserted)) as [{ readonly key: number }];
  await labelRun(tx, key, run.config.labels);
  noteNewRun(tx, row.deadline);
  return {
    ...run,
    key,
    createdAt: row.createdAt,
    state: STARTED,
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

/**
 * The key of a run, for the last one of an id. As a column it would be an index of PostgreSQL's choice: it would read all runs,
 * from the last one on, for an id that none of them has.
 */
const KEY = sql`(key + 0)`;

/** The last runs that had these ids, by their ids. New runs mostly have new ids, so their keys are looked for first. */
export async function latestRuns(tx: Tx, ids: readonly string[]): Promise<Map<string, Run>> {
  const rows = ids.map((id) => ({ id }));
  const found = await tx.allForEach<{ readonly key: number | null }>(
    forEach({ id: "string" }, rows, (row, from) => {
      return sql`SELECT (SELECT max(${KEY}) FROM runs WHERE id = ${row.id}) AS key${from}`;
    }),
  );
  const keys = found.flatMap(({ key }) => key ?? []);
  if (keys.length === 0) return new Map();
  const latest = await tx.all<RunRow>(sql`${RUNS} WHERE key IN (${numbers(keys)})`);
  return new Map(latest.map((row) => [row.id, toRun(row)]));
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
