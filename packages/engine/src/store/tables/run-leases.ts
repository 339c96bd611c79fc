import { type ForEach, forEach, type Part, type Sql, sql, type ValueList } from "../tx.ts";
import { type HistoryEnd, lastPosition, repeatedKey, type StepRow } from "./entries.ts";
import { IS_LIVE } from "./runs.ts";

/** An invocation that is about to append, with the lease of its delivery. */
export interface LeaseRow {
  /** The place of its append among those of the request. */
  readonly at: number;
  /** The id of its run, and when that was created. */
  readonly id: string;
  readonly created: number;
  /** The number of the lease. */
  readonly lease: number;
  /** Identifies the invocation among those of the lease's delivery. */
  readonly name: string;
  /** The steps that are under way from now on, as JSON. */
  readonly steps: string;
  /** The position of the last entry that it knows. */
  readonly after: number;
}

/** An invocation that is about to append, with the keys of its new entries. */
export interface HoldRow extends LeaseRow {
  readonly keys: ValueList;
}

/** The records of an invocation that knows the whole history of its run. */
export interface PlainAppend extends LeaseRow {
  readonly entries: readonly StepRow[];
}

export const LEASE = {
  at: "number",
  id: "string",
  created: "number",
  lease: "number",
  name: "string",
  steps: "string",
  after: "number",
} as const;

const HOLD = { ...LEASE, keys: "strings" } as const;

type LeaseParts = Readonly<Record<keyof LeaseRow, Part>>;

/** The run that an invocation has found under its lease. */
export interface HeldRow extends HistoryEnd {
  readonly at: number;
  readonly run: number;
  readonly inline: number;
  readonly capabilities: string | null;
}

const RUN = sql`run_leases.run`;

/** Notes which steps of invocations are under way, where these still have the right to append. Returns rows of {@link HeldRow}. */
export function holdRuns(rows: readonly HoldRow[]): ForEach {
  return forEach(HOLD, rows, (row, from) => {
    return sql`${hold(row)}${from} WHERE ${mayAppend(row, sql`(SELECT key FROM runs WHERE ${isLiveRunOf(row)})`)}
      RETURNING ${row.at} AS at, run, (SELECT inline FROM runs WHERE key = ${RUN}) AS inline,
        (SELECT capabilities FROM runs WHERE key = ${RUN}) AS capabilities, ${lastPosition(RUN)} AS last,
        ${repeatedKey(RUN, row.keys, row.after)} AS repeated`;
  });
}

/** The beginning of a statement that notes which steps of an invocation are under way. */
export function hold(row: LeaseParts): Sql {
  return sql`UPDATE run_leases SET in_progress = ${row.steps}, invocation = ${row.name}`;
}

/** The condition on `runs` of the live run of an invocation. By the time alone, PostgreSQL would look at all that began together. */
export function isLiveRunOf({ id, created }: LeaseParts): Sql {
  return sql`id = ${id} AND created_at + 0 = ${created} AND ${IS_LIVE}`;
}

/**
 * The condition on `run_leases` that an invocation may append. A delivery may arrive twice; the lease belongs to the first of its
 * invocations that appends.
 */
export function mayAppend({ lease, name }: LeaseParts, run: Sql): Sql {
  return sql`${RUN} = ${run} AND run_leases.number = ${lease} AND holder IS NOT NULL
    AND coalesce(invocation, ${name}) = ${name}`;
}
