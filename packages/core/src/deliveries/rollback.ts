import { WorkflowContext } from "../context.ts";
import { type Ledger, placeOfSlot, readLedger, type Slot } from "../group.ts";
import { toSeconds } from "../kernel/duration.ts";
import { within } from "../kernel/within.ts";
import type { Cancel, Failure } from "../protocol/delivery.ts";
import { type FailedStep, shorten, toErrorBody } from "../protocol/error.ts";
import type { FailureDetails, FailureReport } from "../protocol/failure.ts";
import { readHistory } from "../protocol/history.ts";
import type { Outcome } from "../protocol/outcome.ts";
import type { StepRecord, StepType } from "../protocol/step.ts";
import { againUntil, type RollbackOptions, read } from "../steps/index.ts";
import { type Unwound, unwind } from "../unwind.ts";
import { factsOf, triesOf, type Visit } from "./room.ts";

export type RunEnd = Visit<Failure | Cancel>;

/** A step that was started and may have to be undone. */
interface Undoable {
  readonly step: FailedStep;
  readonly result?: unknown;
  /** Undefined where the workflow doesn't ask for the step any more. */
  readonly options?: RollbackOptions | undefined;
}

/** What is on record of a run that has ended badly; undefined where the engine doesn't tell. */
export async function recordsOf(
  { border, delivery }: RunEnd,
  { details, createdAt }: FailureReport,
): Promise<readonly StepRecord[] | undefined> {
  if (!details) return undefined;
  // The id may have been given to another run in the meantime.
  const which = { ended: true, workflowCreatedAt: createdAt } as const;
  const entries = details.history ?? (await border.engine().history(delivery.runId, which));
  return entries && readHistory(entries).records;
}

/**
 * Undoes the latest of the steps that are to be undone yet: one in each delivery, so that each is on record before the next
 * is begun.
 *
 * @returns what became of all of them, once nothing is left to undo
 */
export async function rollBack(
  visit: RunEnd,
  report: FailureReport,
  records: readonly StepRecord[],
): Promise<Outcome | FailureDetails["rollbacks"]> {
  const { rollbacks = [], started = [] } = report.details ?? {};
  // Without a rollback anywhere the workflow isn't run. What an endpoint was doing that gave no answer, nobody knows.
  const possible = report.details?.begun || report.step?.rollback || records.some(({ rollback }) => rollback);
  if (!possible) return rollbacks;
  const ledger = readLedger(records);
  const unwound = await unwindRun(visit, report, ledger);
  const undoable = [...undoableFresh(unwound, report, ledger), ...undoableSlots(unwound, report, started)];
  undoable.sort((a, b) => b.step.id - a.step.id);
  const next = undoable.find(({ step }) => !rollbacks.some(({ stepId }) => stepId === step.id));
  return next ? undo(visit, report, next, unwound.error) : rollbacks;
}

async function unwindRun(visit: RunEnd, report: FailureReport, ledger: Ledger): Promise<Unwound> {
  const { served } = visit;
  try {
    const facts = factsOf(visit, await served.parsePayload(report.payload), report);
    return await unwind(ledger, (host) => served.workflow(new WorkflowContext(facts, host)));
  } catch (error) {
    // The payload doesn't fit any more: the workflow can't be asked.
    return { claimed: new Map(), fresh: [], unclaimed: new Set(ledger.slots), error };
  }
}

function undoableSlots(
  { claimed, unclaimed }: Unwound,
  report: FailureReport,
  started: readonly number[],
): Undoable[] {
  const undoable: Undoable[] = [];
  for (const slot of [...claimed.keys(), ...unclaimed]) {
    const options = claimed.get(slot)?.step.options;
    const begun = slot.result || started.includes(slot.id) || slot.id === report.step?.id;
    if (begun && (unclaimed.has(slot) ? slot.rollback : options?.rollback))
      undoable.push({ step: placeOfSlot(slot), result: resultOf(slot), options });
  }
  return undoable;
}

// The first of them is what the run was at when it failed; where others are under way, it hadn't come to that.
function undoableFresh(
  { fresh: [first] }: Unwound,
  { details, step }: FailureReport,
  { phase, holes, nextId }: Ledger,
): Undoable[] {
  if (!first?.step.options?.rollback || phase.kind !== "advance") return [];
  const { name, type, options } = first.step;
  const begun = details?.begun || (step?.name === shorten(name) && step.type === type);
  return begun ? [{ step: { id: holes[0] ?? nextId, name, type }, options }] : [];
}

async function undo(
  visit: RunEnd,
  report: FailureReport,
  { step, result, options }: Undoable,
  /** Why the workflow doesn't ask for all of its steps. */
  obstacle: unknown,
): Promise<Outcome> {
  const tries = triesOf(visit);
  const attempts = tries.retried + 1;
  const { id: stepId, name: stepName, type } = step;
  const record = { stepId, stepName, stepType: type as StepType, attempts };
  try {
    if (!options?.rollback)
      throw obstacle ?? new TypeError(`The workflow doesn't ask for step "${stepName}" any more.`);
    const undone = options.rollback({ result, error: report.error, step, attempt: attempts });
    const { rollbackTimeout: timeout } = options;
    await (timeout === undefined
      ? undone
      : within(toSeconds(timeout, "rollbackTimeout"), "The rollback", undone));
    return { kind: "rolledBack", record: { ...record, state: "done" } };
  } catch (error) {
    // What isn't there won't be there a moment later, unless something has only got in its way.
    const { rollbackRetries: retries, rollbackRetryDelay: retryDelay }: RollbackOptions =
      options ?? (obstacle === undefined ? { rollbackRetries: 0 } : {});
    const again = againUntil(error, tries, { retries, retryDelay });
    if (!again.over) return { kind: "failed", error, step, again };
    return {
      kind: "rolledBack",
      record: { ...record, state: "failed", error: toErrorBody(error, visit.trusted) },
    };
  }
}

function resultOf({ result }: Slot): unknown {
  try {
    return result && !result.failure ? read(result) : undefined;
  } catch {
    return undefined; // What can't be read isn't there.
  }
}
