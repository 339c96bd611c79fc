import type { WorkflowContext } from "../context.ts";
import { emitAll, type MiddlewareEvents } from "../middleware.ts";
import { isPlan, type StepRecord, stepOf } from "../protocol/step.ts";
import { toStepError } from "../replay/step-matcher.ts";
import { readResult } from "../steps/index.ts";
import type { DeliveryContext } from "./delivery-context.ts";

/** Emits one event of a run to the endpoint's middlewares. */
export function emit<Event extends keyof MiddlewareEvents>(
  { endpoint }: DeliveryContext,
  event: Event,
  details: MiddlewareEvents[Event],
): Promise<void> {
  return emitAll(endpoint.middlewares, event, details);
}

/** Emits the event of a recorded result or failure of a step. */
export async function emitRecord(
  ctx: DeliveryContext,
  context: WorkflowContext,
  record: StepRecord,
): Promise<void> {
  if (ctx.endpoint.middlewares.length === 0) return;
  if (record.failure) {
    const error = toStepError(stepOf(record), record.failure);
    await emit(ctx, "onError", { workflowRunId: context.workflowRunId, error });
  } else if (!isPlan(record))
    await emit(ctx, "afterExecution", { context, stepName: record.stepName, result: readResult(record) });
}
