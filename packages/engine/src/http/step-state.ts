import { HEADER } from "@perdure/core/protocol";
import { toText } from "../rules/bytes.ts";
import { firstValue, toShown } from "../rules/header.ts";
import type { Failure, Message, MessageState } from "../rules/message.ts";
import type { Run } from "../rules/run.ts";
import type { StepState, StepView } from "./run-schemas.ts";
import { hash } from "./serializers.ts";

/** How a step stands whose message is in this state. */
export function stepState(state: MessageState): StepState {
  switch (state) {
    case "CREATED":
    case "ACTIVE":
      return "STEP_PROGRESS";
    case "RETRY":
      return "STEP_RETRY";
    case "DELIVERED":
      return "STEP_SUCCESS";
    case "FAILED":
      return "STEP_FAILED";
    case "CANCELLED":
      return "STEP_CANCELED";
  }
}

export function nextDelivery({
  state,
  dueAt,
}: Pick<Message, "state" | "dueAt">): Pick<StepView, "nextDeliveryTime"> {
  // Under way, the time is that of the lease.
  return dueAt === undefined || state === "ACTIVE" ? {} : { nextDeliveryTime: dueAt };
}

/** The name of the step that failed last, where the endpoint gave it. */
export function failedStep(failures: readonly Failure[]): string | undefined {
  const headers = failures.at(-1)?.reply?.headers;
  return headers && firstValue(headers, HEADER.errorStepName);
}

export function errorsView(failures: readonly Failure[]): Pick<StepView, "errors"> {
  if (failures.length === 0) return {};
  return {
    errors: failures.map(({ at, error, reply }) => ({
      error,
      body: reply ? toText(reply.body) : "",
      headers: toShown(reply?.headers ?? {}),
      status: reply?.status ?? 0,
      time: at,
    })),
  };
}

export function shownBody(body: string, run: Run): string {
  return run.config.redact?.body && body !== "" ? hash(body) : body;
}
