import type { StepPosition } from "./call.ts";
import * as HEADER from "./header-names.ts";
import { type Message, type RunOptions, startMessage, stepHeaders } from "./message.ts";
import { definedHeaders } from "./options.ts";
import { asLists } from "./wait.ts";

/** The body of a message that starts a child run. */
export interface InvokeEnvelope {
  /** The child's payload. */
  readonly body?: string | undefined;
  /** Headers for the delivery of the child's result to the invoking run. */
  readonly headers: Readonly<Record<string, readonly string[]>>;
  /** The invoking run. */
  readonly workflowRunId: string;
  readonly workflowRunCreatedAt: number;
  readonly workflowUrl: string;
  readonly step: {
    readonly stepId: number;
    readonly stepName: string;
    readonly stepType: "Invoke";
    readonly concurrent: number;
    readonly rollback?: true | undefined;
  };
}

interface Child extends RunOptions {
  readonly url: string;
  readonly runId: string;
  readonly body: string | undefined;
}

interface Invoker extends StepPosition {
  readonly createdAt: number;
  /** Headers for all of the endpoint's deliveries, with the prefix that makes the engine forward them. */
  readonly forwarded: Readonly<Record<string, string>>;
}

/** Creates the message that starts a child run. The engine records the child's end as the step's result. */
export function invokeMessage(place: Invoker, stepName: string, child: Child): Message {
  const { body, ...options } = child;
  const envelope: InvokeEnvelope = {
    body,
    headers: asLists({ ...place.forwarded, ...definedHeaders(stepHeaders(place)) }),
    workflowRunId: place.runId,
    workflowRunCreatedAt: place.createdAt,
    workflowUrl: place.url,
    step: {
      stepId: place.id,
      stepName,
      stepType: "Invoke",
      concurrent: place.concurrent,
      rollback: place.rollback,
    },
  };
  const message = startMessage({
    ...options,
    body: JSON.stringify(envelope),
    invokeCount: place.invokeCount + 1,
  });
  return { ...message, headers: { ...message.headers, [HEADER.invoke]: "true" } };
}
