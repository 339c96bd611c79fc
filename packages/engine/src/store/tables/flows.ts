import type { FlowControl } from "../../rules/flow-control.ts";
import { ADMITTED, type DueStatus } from "../../rules/message-status.ts";
import { constants, type Sql, sql, type Tx } from "../tx.ts";

export interface FlowRow {
  readonly key: string;
  readonly parallelism: number | null;
  readonly rate: number | null;
  readonly period: number;
  readonly began_at: number;
  readonly begun: number;
  readonly wake_at: number | null;
  readonly paused: number;
  readonly pinned_parallelism: number;
  readonly pinned_rate: number;
  /** Up to {@link USED_AT_PRECISION} too early. */
  readonly used_at: number;
}

/** Milliseconds within which the engine notes one use of a key, so that not every message writes to it. */
export const USED_AT_PRECISION = 60_000;

/** The condition on `due` that a message counts toward its key's parallelism. */
export const IS_ADMITTED: Sql = sql`due.status IN (${constants<DueStatus>(...ADMITTED)})`;

export async function flowOf(tx: Tx, key: string): Promise<FlowRow | undefined> {
  return await tx.one<FlowRow>(sql`SELECT * FROM flows WHERE key = ${key}`);
}

/** Notes that a message uses the key now. */
export async function touchFlow(tx: Tx, { key, used_at }: FlowRow): Promise<void> {
  if (tx.now < used_at + USED_AT_PRECISION) return;
  await tx.run(sql`UPDATE flows SET used_at = ${tx.now} WHERE key = ${key}`);
}

/** The messages that count toward the key's parallelism: `most` at most. */
export async function countAdmitted(tx: Tx, key: string, most: number): Promise<number> {
  const row = await tx.one<{ count: number }>(
    sql`SELECT count(*) AS count FROM
      (SELECT 1 FROM due WHERE flow_key = ${key} AND ${IS_ADMITTED} LIMIT ${most}) AS counted`,
  );
  return row?.count ?? 0;
}

export function toLimits(
  row: FlowRow,
): Pick<FlowControl, "parallelism" | "rate" | "period" | "pinnedParallelism" | "pinnedRate"> {
  return {
    parallelism: row.parallelism ?? undefined,
    rate: row.rate ?? undefined,
    period: row.period,
    pinnedParallelism: row.pinned_parallelism === 1,
    pinnedRate: row.pinned_rate === 1,
  };
}
