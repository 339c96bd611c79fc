import { readFailure } from "@perdure/core/protocol";
import { toText } from "../rules/bytes.ts";
import { failedStepIn, toShown } from "../rules/header.ts";
import type { Failure, Message, MessageState } from "../rules/message.ts";
import type { Run } from "../rules/run.ts";
import type { StepState, StepView } from "./run-schemas.ts";
import { hash } from "./serializers.ts";

/** The state of a step, from the state of its message. */
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
  // In an active message, `dueAt` is the end of the lease.
  return dueAt === undefined || state === "ACTIVE" ? {} : { nextDeliveryTime: dueAt };
}

/** The name of the step that failed last, if the endpoint reported it. */
export function failedStep(failures: readonly Failure[]): string | undefined {
  const headers = failures.at(-1)?.reply?.headers;
  return headers && failedStepIn(headers);
}

/** The type of the step that failed last, if the endpoint's answer has it. */
export function failedStepType(failures: readonly Failure[]): Pick<StepView, "stepType"> {
  const reply = failures.at(-1)?.reply;
  const step = reply && readFailure(toText(reply.body), reply.status).step;
  return step ? { stepType: step.type } : {};
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
