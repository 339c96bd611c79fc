import type { MessageKind } from "../rules/message.ts";
import type { Run } from "../rules/run.ts";
import type { WaitReason } from "../rules/wait-reason.ts";
import type { CallbackReport, DeadLetter, LoggedRollback, RunChoice } from "../store/lists.ts";
import { FIRST_RECORD } from "../store/tables/entries.ts";
import { MESSAGES, type MessageRow, RUNS, type RunRow, toRun } from "../store/tables/rows.ts";
import { chosenRun } from "../store/tables/runs.ts";
import { constants, sql, type Tx } from "../store/tx.ts";
import {
  DEAD_LETTER,
  type DeadLetterRow,
  failuresOf,
  rollbacksOfRuns,
  toCallbackReport,
  toDeadLetters,
} from "./read.ts";
import { countSteps } from "./run-summaries.ts";
import { waitsFor } from "./waits-for.ts";

/** A run with everything but its steps. */
export interface RunOverview {
  readonly run: Run;
  readonly payload: Uint8Array;
  /** When the run fails unless it has ended, in milliseconds since 1970. */
  readonly deadline: number | undefined;
  /** The number of steps with a result on record. */
  readonly steps: number;
  readonly failure: DeadLetter | undefined;
  /** The report of its cancellation. */
  readonly cancel: CallbackReport | undefined;
  readonly rollbacks: readonly LoggedRollback[];
  /** The first runs that it has invoked. */
  readonly children: readonly Run[];
  /** The run that has resumed it. */
  readonly successor: Run | undefined;
  readonly waitsFor: readonly WaitReason[];
}

/** Invoked runs that an overview shows. */
const MAX_CHILDREN = 100;

/**
 * Reads a run with everything but its steps: the number of statements doesn't depend on the steps.
 *
 * @throws EngineError `not_found`
 */
export async function runOverview(tx: Tx, choice: RunChoice): Promise<RunOverview> {
  const run = await chosenRun(tx, choice);
  const { key } = run;
  const first = await tx.one<{ body: Uint8Array }>(
    sql`SELECT body FROM entries WHERE run = ${key} AND record = ${FIRST_RECORD}`,
  );
  const links = await tx.one<{ deadline: number | null; successor: number | null }>(
    sql`SELECT deadline, successor FROM runs WHERE key = ${key}`,
  );
  const letters = await tx.all<DeadLetterRow>(sql`SELECT ${DEAD_LETTER} FROM dlq WHERE run = ${key}`);
  const [failure] = await toDeadLetters(tx, letters);
  const children = await tx.all<RunRow>(
    sql`${RUNS} WHERE parent = ${key} OR key = ${links?.successor ?? null} ORDER BY key LIMIT ${MAX_CHILDREN + 1}`,
  );
  const related = children.map(toRun);
  return {
    run,
    payload: first?.body ?? new Uint8Array(),
    deadline: links?.deadline ?? undefined,
    steps: (await countSteps(tx, [key])).get(key) ?? 0,
    failure,
    cancel: await cancelReport(tx, key),
    rollbacks: (await rollbacksOfRuns(tx, [key])).get(key) ?? [],
    children: related.filter((one) => one.key !== links?.successor).slice(0, MAX_CHILDREN),
    successor: related.find((one) => one.key === links?.successor),
    waitsFor: await waitsFor(tx, run),
  };
}

async function cancelReport(tx: Tx, run: number): Promise<CallbackReport | undefined> {
  const row = await tx.one<MessageRow>(
    sql`${MESSAGES} WHERE messages.run = ${run} AND messages.kind = ${constants<MessageKind>("cancel")} ORDER BY messages.seq DESC LIMIT 1`,
  );
  return row && toCallbackReport(row, await failuresOf(tx, [row]));
}
