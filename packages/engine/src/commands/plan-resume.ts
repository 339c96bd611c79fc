import { type CallType, isKeyOf, keyOf, stepOfKey } from "@perdure/core/protocol";
import { type Outcome, UNDELIVERED } from "../rules/message-status.ts";
import { isLive, type Run } from "../rules/run.ts";
import * as inOrder from "../store/in-order.ts";
import { constants, sql, type Tx } from "../store/tx.ts";

/** An entry of a run that has failed. */
export interface OldEntry {
  readonly position: number;
  readonly record: string;
  readonly message: string;
  readonly call_type: CallType;
  readonly step: string | null;
  readonly body: Uint8Array;
  readonly created_at: number;
}

/** The entries that a resumed run begins with. */
export interface ResumePlan {
  /** The entries that it has from the start, in their order. */
  readonly kept: readonly OldEntry[];
  /** The entries that have had no effect, and are delivered again. */
  readonly redelivered: ReadonlySet<OldEntry>;
}

/**
 * Plans the remaining work of a failed run:
 *
 * - a plan without a result is delivered again: its step may have been in progress, or have waited for something;
 * - so is an answer to a call that never reached the workflow. A call without an answer is forgotten: the workflow asks
 *   for it again;
 * - so is the last entry that isn't a plan, when it never reached the workflow, or when something that was asked for and
 *   isn't recorded has no plan. With everything before it in sight, the workflow asks for all of that again. Earlier
 *   ones needn't be delivered: the last one knows more.
 *
 * @param children the runs that it has invoked: the engine records their ends without a request of the workflow
 */
export async function planResume(
  tx: Tx,
  run: number,
  entries: readonly OldEntry[],
  children: readonly Run[],
): Promise<ResumePlan> {
  const recorded = new Set(entries.map(({ record }) => record));
  const records = new Set(recorded);
  for (const child of children) if (child.invoker) records.add(child.invoker.key);
  const lacksResult = (id: string): boolean => !records.has(keyOf("result", id));
  const kept = entries.filter(
    ({ record }) => !isKeyOf("call", record) || records.has(keyOf("answer", stepOfKey(record))),
  );
  const lost = entries.filter(
    ({ record }) =>
      (isKeyOf("plan", record) && lacksResult(stepOfKey(record))) ||
      (isKeyOf("answer", record) && lacksResult(stepOfKey(record))),
  );
  const redelivered = new Set(
    await inOrder.filter(
      lost,
      async (entry) => isKeyOf("plan", entry.record) || !(await wasDelivered(tx, entry)),
    ),
  );
  const covered = new Set([...redelivered].map(({ record }) => stepOfKey(record)));
  const last = entries.findLast(({ record, call_type }) => call_type === "step" && !isKeyOf("plan", record));
  const uncovered = (await asked(tx, run, entries)).some((id) => lacksResult(id) && !covered.has(id));
  // The end of a child that came too late is the newest entry, and does for the last one what that would.
  const goesOn = children.some(
    (child) => !isLive(child) && !(child.invoker && recorded.has(child.invoker.key)),
  );
  const idle = redelivered.size === 0 && !children.some(isLive);
  if (last && !goesOn && (uncovered || idle || !(await wasDelivered(tx, last)))) redelivered.add(last);
  return { kept, redelivered };
}

/** Ids of steps for which the workflow has asked the engine. */
async function asked(tx: Tx, run: number, entries: readonly OldEntry[]): Promise<string[]> {
  const waits = await tx.many<{ record: string }>(sql`SELECT record FROM waiters WHERE run = ${run}`);
  const calls = entries.filter(({ record }) => isKeyOf("call", record));
  return [...waits, ...calls].map(({ record }) => stepOfKey(record));
}

/** Whether an entry's message was delivered. The engine deletes delivered messages after a while, and keeps the others. */
async function wasDelivered(tx: Tx, { message }: OldEntry): Promise<boolean> {
  return (
    (await tx.one(
      sql`SELECT 1 FROM messages WHERE id = ${message} AND outcome IN (${constants<Outcome>(...UNDELIVERED)})`,
    )) === undefined
  );
}
