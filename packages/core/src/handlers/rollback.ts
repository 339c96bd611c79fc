import { WorkflowContext } from "../context.ts";
import type { Cancel, Failure } from "../protocol/delivery.ts";
import { type FailedStep, shorten, toErrorBody } from "../protocol/error.ts";
import type { FailureDetails, FailureReport } from "../protocol/failure.ts";
import { type History, readHistory } from "../protocol/history.ts";
import type { Outcome } from "../protocol/outcome.ts";
import type { StepType } from "../protocol/step.ts";
import { type CollectedSteps, collectRollbacks } from "../replay/collect-rollbacks.ts";
import { readStepHistory, type StepEntry, type StepHistory, toFailedStep } from "../replay/step-history.ts";
import { keyText, type PendingStep } from "../replay/step-matcher.ts";
import { decideRetryWithinLimit, type RollbackOptions, readResult } from "../steps/index.ts";
import { safely } from "../util/check.ts";
import { toSeconds } from "../util/duration.ts";
import { withTimeout } from "../util/timeout.ts";
import { attemptInfo, type DeliveryContext, toRunContext } from "./delivery-context.ts";
import { around } from "./events.ts";

export type RunEnd = DeliveryContext<Failure | Cancel>;

/** A started step that may need its rollback. */
interface Undoable {
  readonly step: FailedStep;
  readonly result?: unknown;
  /** Undefined when the workflow no longer requests the step. */
  readonly options?: RollbackOptions | undefined;
}

/** Fetches the history of a failed or cancelled run; undefined on engines that don't provide it. */
export async function historyOf(
  { config, delivery }: RunEnd,
  { details, createdAt }: FailureReport,
): Promise<History | undefined> {
  if (!details) return undefined;
  // Another run may have the same id now.
  const which = { ended: true, workflowCreatedAt: createdAt } as const;
  const entries = details.history ?? (await config.engine().history(delivery.runId, which));
  return entries && readHistory(entries);
}

/**
 * Undoes the last step that isn't undone yet. Each delivery undoes one step, so that its rollback is recorded
 * before the next one begins.
 *
 * @returns the states of all rollbacks, once none is left to run
 */
export async function rollBack(
  ctx: RunEnd,
  report: FailureReport,
  { records, attempts }: History,
): Promise<Outcome | FailureDetails["rollbacks"]> {
  const { rollbacks = [], started = [], begun: mayHaveBegun, underWay = [] } = report.details ?? {};
  const tried = attempts.map(({ step }) => keyText(step));
  const begun = [...tried, ...underWay.map(keyText)];
  // The workflow runs only if there may be a rollback. An endpoint that gave no answer may have started an
  // unknown step.
  const possible =
    mayHaveBegun || begun.length || report.step?.rollback || records.some(({ rollback }) => rollback);
  if (!possible) return rollbacks;
  const history = readStepHistory(records);
  const collected = await collectSteps(ctx, report, history);
  // Only a step that begins alone begins without a record: the first one that isn't waiting for its retry.
  const first = collected.newSteps.find(({ key }) => !tried.includes(keyText(key)));
  const isReported = ({ step: { name, type } }: PendingStep) =>
    report.step?.name === shorten(name) && report.step.type === type;
  const hasBegun = (step: PendingStep) =>
    begun.includes(keyText(step.key)) || (step === first && (mayHaveBegun || isReported(step)));
  const undoable = [
    ...undoableNewSteps(collected, history, hasBegun),
    ...undoableEntries(collected, report, started),
  ];
  undoable.sort((a, b) => b.step.id - a.step.id);
  const next = undoable.find(({ step }) => !rollbacks.some(({ stepId }) => stepId === step.id));
  return next ? undo(ctx, report, next, collected.error) : rollbacks;
}

async function collectSteps(
  ctx: RunEnd,
  report: FailureReport,
  history: StepHistory,
): Promise<CollectedSteps> {
  const { endpoint } = ctx;
  try {
    const runContext = toRunContext(ctx, await endpoint.parsePayload(report.payload), report);
    return await collectRollbacks(history, (host) =>
      endpoint.workflow(new WorkflowContext(runContext, host)),
    );
  } catch (error) {
    // The payload is no longer valid, so the workflow can't be replayed.
    return { matched: new Map(), newSteps: [], unmatched: new Set(history.entries), error };
  }
}

function undoableEntries(
  { matched, unmatched }: CollectedSteps,
  report: FailureReport,
  started: readonly number[],
): Undoable[] {
  const undoable: Undoable[] = [];
  for (const entry of [...matched.keys(), ...unmatched]) {
    const options = matched.get(entry)?.step.options;
    // The plan of a single step says that it has begun.
    const isSingle = entry.group.size === 1;
    const begun = entry.result || isSingle || started.includes(entry.id) || entry.id === report.step?.id;
    if (begun && (unmatched.has(entry) ? entry.rollback : options?.rollback))
      undoable.push({ step: toFailedStep(entry), result: resultOf(entry), options });
  }
  return undoable;
}

function undoableNewSteps(
  { newSteps }: CollectedSteps,
  { phase, rolledBack, nextId }: StepHistory,
  hasBegun: (step: PendingStep) => boolean | undefined,
): Undoable[] {
  if (phase.kind !== "advance") return [];
  return newSteps.flatMap((pending, at) => {
    const { name, type, options } = pending.step;
    const id = rolledBack[at] ?? nextId + at - rolledBack.length;
    return options?.rollback && hasBegun(pending) ? [{ step: { id, name, type }, options }] : [];
  });
}

async function undo(
  ctx: RunEnd,
  report: FailureReport,
  { step, result, options }: Undoable,
  /** The error that kept the workflow from requesting all of its steps. */
  obstacle: unknown,
): Promise<Outcome> {
  const attempt = attemptInfo(ctx);
  const attempts = attempt.retried + 1;
  const { id: stepId, name: stepName, type } = step;
  const record = { stepId, stepName, stepType: type as StepType, attempts };
  try {
    if (!options?.rollback)
      throw obstacle ?? new TypeError(`The workflow doesn't ask for step "${stepName}" any more.`);
    const { rollback, rollbackTimeout: timeout } = options;
    await around(ctx, { kind: "rollback", stepName }, async () => {
      const undone = rollback({ result, error: report.error, step, attempt: attempts });
      await (timeout === undefined
        ? undone
        : withTimeout(toSeconds(timeout, "rollbackTimeout"), "The rollback", undone));
    });
    return { kind: "rolledBack", record: { ...record, state: "done" } };
  } catch (error) {
    // A missing rollback stays missing, so don't retry it, unless an obstacle has kept the workflow from
    // requesting the step.
    const { rollbackRetries: retries, rollbackRetryDelay: retryDelay }: RollbackOptions =
      options ?? (obstacle === undefined ? { rollbackRetries: 0 } : {});
    const retry = decideRetryWithinLimit(error, attempt, { retries, retryDelay });
    if (!retry.exhausted) return { kind: "failed", error, step, retry };
    return {
      kind: "rolledBack",
      record: { ...record, state: "failed", error: toErrorBody(error, ctx.authenticated) },
    };
  }
}

function resultOf({ result }: StepEntry): unknown {
  // The rollback runs without an unreadable result.
  return safely(() => (result && !result.failure ? readResult(result) : undefined));
}
