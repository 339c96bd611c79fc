import type { InlineAnswer, InlineNews } from "@perdure/core/protocol";
import type { AppendInline } from "../rules/inline-append.ts";
import type { Run, RunState } from "../rules/run.ts";
import type { InProgress, RunLease } from "../rules/run-lease.ts";
import * as inOrder from "../store/in-order.ts";
import { type HeldRow, type HoldRow, holdRuns, type LeaseRow } from "../store/tables/run-leases.ts";
import { runOf } from "../store/tables/runs.ts";
import { sql, strings, type Tx } from "../store/tx.ts";
import { noteInline } from "./hold-run.ts";
import { type InlineAddition, insertInline, lockWithChildren } from "./insert-inline.ts";
import { recordEndpoint } from "./record-endpoint.ts";

/**
 * Appends the records of invocations to the histories of their runs, all of them or none. Each append is checked and
 * stored under the lock of its run; the answers are in the order of the appends.
 *
 * @throws EngineError when the records of an append can't be accepted: then the caller stores each append alone
 */
export async function appendInline(tx: Tx, appends: readonly AppendInline[]): Promise<InlineAnswer[]> {
  await lockWithChildren(
    tx,
    appends.map(({ lease }) => lease.runId),
    appends.flatMap(({ entries }) => entries),
  );
  // Results need no further lock: the appends to different runs don't wait for each other.
  const isPlain = appends.every(({ entries }) => entries.every(({ kind }) => kind !== "ask"));
  const rounds = isPlain ? inOrder.rounds(appends, ({ lease }) => lease.runId) : appends.map((_, at) => [at]);
  const answers: InlineAnswer[] = [];
  for (const round of rounds) {
    const given = await appendRound(
      tx,
      round.map((at) => appends[at] as AppendInline),
    );
    for (const [nth, at] of round.entries()) answers[at] = given[nth] as InlineAnswer;
  }
  return answers;
}

/** Appends the records of invocations, each to another run: by one statement that checks the leases, and one that inserts. */
async function appendRound(tx: Tx, appends: readonly AppendInline[]): Promise<InlineAnswer[]> {
  const held = await hold(tx, appends);
  const unnoted = [...held.values()].flatMap(({ run, inline }) => (inline === 0 ? run : []));
  noteInline(tx, unnoted, true);
  tx.count({ of: "inline", state: "appends", count: held.size });
  await recordEndpoints(tx, appends, held);
  const additions = [...held].map(([at, row]) => toAddition(tx, appends[at] as AppendInline, row));
  const added = await insertInline(tx, additions);
  const lost = appends.filter((_, at) => !held.has(at));
  const refusals = await inOrder.mapSideBySide(lost, ({ lease }) => refusal(tx, lease));
  const [news, refused] = [added.values(), refusals.values()];
  return appends.map((_, at) =>
    held.has(at) ? { news: news.next().value as InlineNews[] } : (refused.next().value as InlineAnswer),
  );
}

/** Records the capabilities of the endpoints that tell others than the engine knows. */
async function recordEndpoints(
  tx: Tx,
  appends: readonly AppendInline[],
  held: ReadonlyMap<number, HeldRow>,
): Promise<void> {
  const changed = [...held].flatMap(([at, { run, capabilities: known }]) => {
    const { capabilities } = appends[at] as AppendInline;
    return capabilities === undefined || capabilities === known ? [] : [{ run, capabilities }];
  });
  await inOrder.mapSideBySide(changed, async ({ run, capabilities }) =>
    recordEndpoint(tx, (await runOf(tx, run)) as Run, { capabilities, identified: undefined }),
  );
}

/**
 * Checks for each append whether its invocation still has the right to append, in the statement that writes which steps are under
 * way. Repeating an append changes nothing, and gets the same answer.
 *
 * @returns the runs of the appends that may go on, by the places of the appends, in their order
 */
async function hold(tx: Tx, appends: readonly AppendInline[]): Promise<Map<number, HeldRow>> {
  const rows = await tx.allForEach<HeldRow>(holdRuns(appends.map(toHoldRow)));
  return new Map(rows.toSorted((one, other) => one.at - other.at).map((row) => [row.at, row]));
}

function toHoldRow(append: AppendInline, at: number): HoldRow {
  return { ...toLeaseRow(append, at), keys: strings(append.entries.map(({ key }) => key)) };
}

/** @param at the place of the append */
export function toLeaseRow({ lease, invocation, underWay, after }: AppendInline, at: number): LeaseRow {
  const inProgress: InProgress = { lease: lease.number, steps: underWay };
  return {
    at,
    id: lease.runId,
    created: lease.createdAt,
    lease: lease.number,
    name: invocation,
    steps: JSON.stringify(inProgress),
    after,
  };
}

function toAddition(
  tx: Tx,
  { lease: { runId, number }, after, entries }: AppendInline,
  { run: key, last, repeated }: HeldRow,
): InlineAddition {
  const whole = async (): Promise<Run> => (await runOf(tx, key)) as Run;
  return { run: { key, id: runId, lease: number, last, repeated, whole }, records: { after, entries } };
}

async function refusal(tx: Tx, { runId, createdAt }: RunLease): Promise<InlineAnswer> {
  const run = await tx.one<{ state: RunState }>(
    sql`SELECT state FROM runs WHERE id = ${runId} AND created_at = ${createdAt}`,
  );
  if (run && run.state !== "RUN_STARTED") return { error: "run_over", state: run.state };
  tx.count({ of: "inline", state: "lease_lost", count: 1 });
  return { error: "lease_lost" };
}
