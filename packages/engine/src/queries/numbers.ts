import type { RunState } from "../rules/run.ts";
import { WAITS_FOR_CLAIM } from "../store/tables/due.ts";
import { IS_LIVE } from "../store/tables/runs.ts";
import { constants, sql, strings, type Tx } from "../store/tx.ts";
import { backlog } from "./backlog.ts";

/** A period, in equal parts. Times and durations are milliseconds. */
export interface Period {
  readonly from: number;
  readonly to: number;
  readonly bucket: number;
  /** Only the runs of these endpoints. */
  readonly urls?: readonly string[] | undefined;
}

/** The runs that have begun and ended in one part of a period. */
export interface RunBucket {
  /** The begin of the part. */
  readonly time: number;
  readonly started: number;
  readonly succeeded: number;
  readonly failed: number;
  readonly canceled: number;
}

/** Numbers of an engine at this moment. */
export interface CurrentNumbers {
  readonly live: number;
  readonly due: number;
  readonly waiting: number;
  readonly held: number;
  readonly deadLetters: number;
  /** Milliseconds since the earliest message is due that hasn't begun. */
  readonly lag: number;
}

const FIELDS = {
  RUN_STARTED: "started",
  RUN_SUCCESS: "succeeded",
  RUN_FAILED: "failed",
  RUN_CANCELED: "canceled",
} as const satisfies Record<RunState, keyof RunBucket>;

/** Counts the runs that have begun and ended in each part of a period, in two statements. */
export async function runNumbers(tx: Tx, { from, to, bucket, urls }: Period): Promise<RunBucket[]> {
  const ofUrls = urls ? sql`AND url IN (${strings(urls)})` : sql``;
  const rows = await tx.all<{ time: number; state: RunState; count: number }>(
    sql`SELECT created_at - created_at % ${bucket} AS time, ${constants<RunState>("RUN_STARTED")} AS state, count(*) AS count FROM runs
        WHERE created_at >= ${from} AND created_at < ${to} ${ofUrls} GROUP BY 1
      UNION ALL SELECT completed_at - completed_at % ${bucket} AS time, state, count(*) AS count FROM runs
        WHERE completed_at >= ${from} AND completed_at < ${to} ${ofUrls} GROUP BY 1, 2`,
  );
  const first = from - (from % bucket);
  const length = Math.max(0, Math.ceil((to - first) / bucket));
  const buckets = Array.from({ length }, (_, at) => ({
    time: first + at * bucket,
    started: 0,
    succeeded: 0,
    failed: 0,
    canceled: 0,
  }));
  for (const { time, state, count } of rows) {
    const one = buckets[(time - first) / bucket];
    if (one) one[FIELDS[state]] += count;
  }
  return buckets;
}

export async function currentNumbers(tx: Tx): Promise<CurrentNumbers> {
  const live = await tx.one<{ count: number }>(sql`SELECT count(*) AS count FROM runs WHERE ${IS_LIVE}`);
  const { due, waiting, held, deadLetters } = await backlog(tx);
  const earliest = await tx.one<{ at: number | null }>(
    sql`SELECT min(at) AS at FROM due WHERE at <= ${tx.now} AND ${WAITS_FOR_CLAIM}`,
  );
  const lag = earliest?.at == null ? 0 : tx.now - earliest.at;
  return { live: live?.count ?? 0, due, waiting, held, deadLetters, lag };
}
