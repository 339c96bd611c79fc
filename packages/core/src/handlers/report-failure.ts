import { emitAll } from "../middleware.ts";
import type { Delivery, DeliveryKind } from "../protocol/delivery.ts";
import type { FailedAttempt } from "../protocol/outcome.ts";
import { writeLine } from "../util/console.ts";
import { isError, messageOf } from "../util/errors.ts";
import type { EndpointDefinition } from "./delivery-context.ts";

/**
 * Reports a failed attempt. The engine records the error too, but a developer looks at the endpoint's console
 * first.
 */
export async function reportFailure(
  { middlewares }: EndpointDefinition,
  delivery: Delivery,
  { error: thrown, step, attempt }: FailedAttempt,
): Promise<void> {
  const { runId } = delivery;
  const number = delivery.kind === "start" ? undefined : (attempt ?? delivery.retried + 1);
  const what = step ? `step "${step.name}"` : DELIVERY_LABELS[delivery.kind];
  const which = number === undefined ? what : `attempt ${number} of ${what}`;
  writeLine("error", `${runId ? `${runId}: ` : ""}${which} failed:`, thrown);
  const error = isError(thrown) ? thrown : new Error(messageOf(thrown));
  await emitAll(middlewares, "onError", { workflowRunId: runId, error });
}

const DELIVERY_LABELS: Record<DeliveryKind, string> = {
  start: "the start of a run",
  resume: "a delivery",
  callResult: "recording the answer to a call",
  failure: "the failure function",
  cancel: "the cancel function",
};
