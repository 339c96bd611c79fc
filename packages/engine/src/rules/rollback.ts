import {
  type FailureReport,
  type HistoryEntry,
  isPlan,
  type PendingRollback,
  type RollbackRecord,
  resultId,
  type StepKey,
  type StepRecord,
} from "@perdure/core/protocol";
import { fromBase64, toText } from "./bytes.ts";

/** The state of the rollbacks of a run that has ended. */
export interface Ended {
  readonly rollbacks: readonly RollbackRecord[];
  /** Planned steps whose delivery was begun. */
  readonly started: readonly number[];
  /** True when the step after the recorded ones may have begun. */
  readonly begun: boolean;
  /** The steps of an inline run that were in progress, as far as its endpoint has named them. */
  readonly underWay?: readonly StepKey[] | undefined;
  /** For a report to another URL: true while the engine asks the workflow for rollbacks. */
  readonly pending: boolean;
}

/**
 * The records of steps in a history: results and plans. The payload and the bodies of calls are no records.
 */
function recordsIn(entries: readonly HistoryEntry[]): StepRecord[] {
  return entries
    .slice(1)
    .filter(({ callType }) => callType === "step")
    .map(({ body }) => JSON.parse(toText(fromBase64(body))) as StepRecord);
}

/** Returns true if any recorded step has a rollback. */
export function haveRollback(entries: readonly HistoryEntry[]): boolean {
  return recordsIn(entries).some(({ rollback }) => rollback);
}

/**
 * Returns true if a run can have the step that an endpoint says it rolled back: a record has this name and
 * kind, or the step was in progress. One step may have been in progress, unless the endpoint has said how
 * many. A resumed run has gaps, and its next step fills the first one.
 */
export function mayHaveStep(
  entries: readonly HistoryEntry[],
  { stepId, stepName, stepType }: RollbackRecord,
  underWay = 1,
): boolean {
  const records = recordsIn(entries);
  const known = records.find((record) => resultId(record) === stepId);
  if (known) return known.stepName === stepName && known.stepType === stepType;
  // A step that has failed may have begun as well.
  const attempts = entries.filter(({ callType }) => callType === "attempt").length;
  return stepId >= 1 && stepId <= Math.max(1, underWay) + attempts + Math.max(0, ...records.map(resultId));
}

/** The engine's facts about a run whose steps are being rolled back. */
export interface KnownRollbacks extends Pick<Ended, "rollbacks" | "started"> {
  readonly entries: readonly HistoryEntry[];
}

/** The rollbacks of a run that the engine knows it will ask for, the latest step's first. */
export function pendingRollbacks(
  { entries, rollbacks, started }: KnownRollbacks,
  failed: FailureReport["step"],
): PendingRollback[] {
  const steps = new Map<number, Pick<RollbackRecord, "stepName" | "stepType">>();
  for (const record of recordsIn(entries)) {
    const id = resultId(record);
    if (record.rollback && (!isPlan(record) || started.includes(id))) steps.set(id, record);
  }
  if (failed?.rollback)
    steps.set(failed.id, { stepName: failed.name, stepType: failed.type as RollbackRecord["stepType"] });
  for (const { stepId } of rollbacks) steps.delete(stepId);
  return [...steps]
    .sort(([a], [b]) => b - a)
    .map(([stepId, { stepName, stepType }]) => ({
      stepId,
      stepName,
      stepType,
      state: "pending",
      attempts: 0,
    }));
}
