import type { Resume } from "../protocol/delivery.ts";
import { type HistoryEntry, readHistory } from "../protocol/history.ts";
import { done, type Outcome } from "../protocol/outcome.ts";
import type { StepRecord } from "../protocol/step.ts";
import { readStepHistory, type StepEntry, type StepHistory } from "../replay/step-history.ts";
import { isComplete } from "../replay/step-matcher.ts";
import { now } from "../util/test-host.ts";
import { type DeliveryContext, loadHistory } from "./delivery-context.ts";
import { emit, emitRecord } from "./events.ts";
import { resumeInline } from "./inline.ts";
import { prepareRun } from "./prepared-run.ts";
import { runSingleStep } from "./single-step.ts";

/** Continues a run where its history ends: replays the recorded steps, and carries out new ones. */
export async function resume(ctx: DeliveryContext<Resume>): Promise<Outcome> {
  const { endpoint, config, delivery } = ctx;
  const { runId, lease, engineTime } = delivery;
  const engineAheadMs = engineTime === 0 ? 0 : engineTime - now();
  // Throws for settings that can't reach the engine, before any user code runs.
  config.engine();
  const entries = await loadHistory(ctx, runId);
  if (!entries) return done(runId, "workflow-already-ended");
  if (lease !== undefined) {
    const { inline } = endpoint;
    const whole = readHistory(entries);
    const history = readStepHistory(whole.records);
    if (inline && isOnlyDelivery(ctx, entries, whole.records, history)) {
      const run = await prepareRun(ctx, whole.payload, history);
      return "kind" in run
        ? run
        : resumeInline(run, { lease, engineAheadMs, limits: inline, known: entries.length, ...whole });
    }
  }
  const { payload, records, duplicate } = readHistory(upToDelivered(ctx, entries));
  if (duplicate) return done(runId, "duplicate-step");
  const history = readStepHistory(records);
  const waits = history.phase.kind === "wait";
  if (waits && endpoint.middlewares.length === 0) return done(runId, "success");
  const run = await prepareRun(ctx, payload, history);
  if ("kind" in run) return run;
  const last = records.at(-1);
  if (last) await emitRecord(ctx, run.context, last);
  else await emit(ctx, "runStarted", { context: run.context });
  return waits ? done(runId, "success") : runSingleStep(run);
}

/**
 * A delivery that offers inline execution has the whole history; without it, a delivery sees only what came
 * before it.
 */
function upToDelivered(
  { delivery }: DeliveryContext<Resume>,
  entries: readonly HistoryEntry[],
): readonly HistoryEntry[] {
  const at = entries.findIndex(({ messageId }) => messageId === delivery.messageId);
  return delivery.lease === undefined || at < 0 ? entries : entries.slice(0, at + 1);
}

/** True when no other delivery of the run can be in flight: each member of a group has its own. */
function isOnlyDelivery(
  ctx: DeliveryContext<Resume>,
  entries: readonly HistoryEntry[],
  records: readonly StepRecord[],
  history: StepHistory,
): boolean {
  const isPlanned = ({ concurrent }: StepRecord) => concurrent > 1;
  if (!records.some(isPlanned)) return true;
  const later = entries.slice(upToDelivered(ctx, entries).length - 1);
  const isFinished = (entry: StepEntry) => entry.group.size === 1 || isComplete(entry);
  return history.entries.every(isFinished) && !readHistory(later).records.some(isPlanned);
}
