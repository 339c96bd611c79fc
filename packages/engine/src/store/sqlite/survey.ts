import type { CallType } from "@perdure/core/protocol";
import type { Run } from "../../domain/run.ts";
import type { Database } from "./database.ts";

/** An entry of a run that has failed. */
export interface OldEntry {
  readonly seq: number;
  readonly record: string;
  readonly message: string;
  readonly call_type: CallType;
  readonly body: string;
  readonly created_at: number;
}

/** What a run that is taken up again begins with. */
export interface Survey {
  /** The entries that it has from the start, in their order. */
  readonly kept: readonly OldEntry[];
  /** Those of them that have had no effect. */
  readonly redelivered: ReadonlySet<OldEntry>;
}

/**
 * What is left to do of a run that has failed:
 *
 * - a plan without a result is delivered again: its step may have been under way, or have waited for something;
 * - so is an answer to a call that never reached the workflow. A call without an answer is forgotten: whoever asked for
 *   it asks again;
 * - so is the last entry that isn't a plan, when it never reached the workflow, or when something that was asked for and
 *   isn't recorded has no plan. With everything before it in sight, the workflow asks for all of that again. Earlier
 *   ones needn't be delivered: the last one knows more.
 *
 * @param children the runs that it has invoked: what they come to is recorded without anybody asking for it
 */
export function survey(
  db: Database,
  run: number,
  entries: readonly OldEntry[],
  children: readonly Run[],
): Survey {
  const records = new Set(entries.map(({ record }) => record));
  for (const child of children) if (child.invoker) records.add(child.invoker.key);
  const lacksResult = (id: string): boolean => !records.has(`result:${id}`);
  const kept = entries.filter(
    ({ record }) => !record.startsWith("call:") || records.has(`answer:${idOf(record)}`),
  );
  const lost = entries.filter(
    ({ record }) =>
      (record.startsWith("plan:") && lacksResult(idOf(record))) ||
      (record.startsWith("answer:") && lacksResult(idOf(record))),
  );
  const redelivered = new Set(
    lost.filter((entry) => entry.record.startsWith("plan:") || !wasDelivered(db, entry)),
  );
  const covered = new Set([...redelivered].map(({ record }) => idOf(record)));
  const last = entries.findLast(
    ({ record, call_type }) => call_type === "step" && !record.startsWith("plan:"),
  );
  const uncovered = asked(db, run, entries).some((id) => lacksResult(id) && !covered.has(id));
  // The end of a child that came too late is the newest entry, and does for the last one what that would.
  const goesOn = children.some(
    ({ state, invoker }) => state !== "RUN_STARTED" && !entries.some(({ record }) => record === invoker?.key),
  );
  const idle = redelivered.size === 0 && !children.some(({ state }) => state === "RUN_STARTED");
  if (last && !goesOn && (uncovered || idle || !wasDelivered(db, last))) redelivered.add(last);
  return { kept, redelivered };
}

/** Ids of steps for which the workflow has asked the engine. */
function asked(db: Database, run: number, entries: readonly OldEntry[]): string[] {
  const waits = db.all<{ record: string }>("SELECT record FROM waiters WHERE run = ?", run);
  const calls = entries.filter(({ record }) => record.startsWith("call:"));
  return [...waits, ...calls].map(({ record }) => idOf(record));
}

/** What was delivered is forgotten after a while; what wasn't is kept. */
function wasDelivered(db: Database, { message }: OldEntry): boolean {
  return (
    db.get("SELECT 1 FROM messages WHERE id = ? AND state IN ('FAILED', 'CANCELLED')", message) === undefined
  );
}

function idOf(record: string): string {
  return record.slice(record.indexOf(":") + 1);
}
