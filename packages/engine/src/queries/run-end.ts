import { isLive, type RunState } from "../rules/run.ts";
import type { RunLog } from "../store/lists.ts";
import { RUNS, type RunRow } from "../store/tables/rows.ts";
import { sql, type Tx } from "../store/tx.ts";
import { runLogs } from "./read.ts";
import { isReporting } from "./rollbacks.ts";

/** Selects a run whose end a caller waits for. */
export interface RunEndChoice {
  readonly id: string;
  /** When the run was created, in milliseconds since 1970. By default the newest run of the id. */
  readonly createdAt?: number | undefined;
  /** The run has ended only when its rollbacks and its failure or cancel function have ended, too. */
  readonly withReports?: boolean | undefined;
}

/** The state of a run whose end a caller waits for. */
export interface RunEnd {
  readonly state: RunState;
  readonly createdAt: number;
  /** The run with its steps, once it has ended. */
  readonly run?: RunLog | undefined;
}

/** Reads whether a run has ended; `undefined` for an unknown run. A live run costs one statement. */
export async function runEnd(
  tx: Tx,
  { id, createdAt, withReports = false }: RunEndChoice,
): Promise<RunEnd | undefined> {
  const row = await tx.one<RunRow>(
    sql`${RUNS} WHERE id = ${id} AND created_at = coalesce(${createdAt ?? null}, created_at)
      ORDER BY key DESC LIMIT 1`,
  );
  if (!row) return undefined;
  const found = { state: row.state, createdAt: row.created_at };
  if (isLive(row) || (withReports && (await isReporting(tx, row.key)))) return found;
  const [run] = await runLogs(tx, [row]);
  return { ...found, run };
}
