import type { WorkflowContext } from "../context.ts";
import { emitAll, type MiddlewareEvents, type MiddlewareScope, runAround } from "../middleware.ts";
import { isPlan, type StepRecord, stepOf } from "../protocol/step.ts";
import { toStepError } from "../replay/step-matcher.ts";
import { readResult } from "../steps/index.ts";
import { type DeliveryContext, userHeaders } from "./delivery-context.ts";

/** Emits one event of a run to the endpoint's middlewares. */
export function emit<Event extends keyof MiddlewareEvents>(
  { endpoint }: DeliveryContext,
  event: Event,
  details: MiddlewareEvents[Event],
): Promise<void> {
  return emitAll(endpoint.middlewares, event, details);
}

/** Runs code of a delivery inside of the endpoint's middlewares. @param attempt default: the delivery's */
export function around<Result>(
  { endpoint, config, request, delivery }: DeliveryContext,
  scope: Pick<MiddlewareScope, "kind" | "stepName"> & { readonly attempt?: number },
  work: () => Promise<Result>,
  errorIn?: (result: Result) => { readonly error: unknown } | undefined,
): Promise<Result> {
  const details = (): MiddlewareScope => ({
    workflowRunId: delivery.runId,
    url: config.workflowUrl(request.url),
    headers: userHeaders(request.headers),
    attempt: delivery.kind === "start" ? 1 : delivery.retried + 1,
    ...scope,
  });
  return runAround(endpoint.middlewares, details, work, errorIn);
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
