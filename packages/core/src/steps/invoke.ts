import { toRunId } from "../kernel/ids.ts";
import { invokeMessage } from "../protocol/invoke.ts";
import type { RunOptions } from "../protocol/message.ts";
import type { StepRecord } from "../protocol/step.ts";
import { checkPolicy, type RollbackOptions, rollbackOf } from "./policy.ts";
import { checkName, deserialize, type Step, toText } from "./step.ts";

/** A workflow that others can start: what `createWorkflow` makes. */
export interface Invokable<Payload, Result> {
  /** Never there: it only carries the types. */
  readonly "~types"?: { readonly payload: Payload; readonly result: Result };
}

/** A run of a workflow that is served beside this one. */
export interface InvokeSettings<Payload = unknown, Result = unknown>
  extends Pick<
    RunOptions,
    | "headers"
    | "retries"
    | "retryDelay"
    | "failureRetries"
    | "failureRetryDelay"
    | "timeout"
    | "flowControl"
    | "label"
  > {
  /** What `createWorkflow` has made; served by the same `serveMany`. */
  readonly workflow: Invokable<Payload, Result>;
  /** The child's payload: a text is sent as it is, everything else as JSON. */
  readonly body: Payload;
  /** A name for the child's run; random by default. */
  readonly workflowRunId?: string;
}

/** How a child's run ended. */
export interface InvokeResponse<Result = unknown> {
  /** What it returned; `undefined` when it failed or was cancelled. */
  readonly body: Result;
  readonly isFailed: boolean;
  readonly isCanceled: boolean;
}

/** Starts a child run and waits for its end. */
export function invoke<Payload, Result>(
  name: string,
  settings: InvokeSettings<Payload, Result> & RollbackOptions<InvokeResponse<Result>>,
): Step<InvokeResponse<Result>> {
  checkName(name);
  checkPolicy(name, rollbackOf(settings));
  const { workflow, body, workflowRunId, ...options } = settings;
  const payload = toText(body, `The payload of step "${name}"`);
  if (workflowRunId === "") throw new TypeError(`The workflowRunId of step "${name}" must not be empty.`);
  const runId = toRunId(workflowRunId);
  return {
    name,
    type: "Invoke",
    options: rollbackOf(settings),
    work: {
      kind: "ask",
      ask: (place) => {
        const child = { ...options, url: place.urlOf(workflow), runId, body: payload };
        return { kind: "publish", message: invokeMessage(place, name, child) };
      },
    },
  };
}

export function readInvoke(record: StepRecord): InvokeResponse {
  const {
    body,
    isFailed = false,
    isCanceled = false,
  } = (deserialize(record) ?? {}) as Partial<InvokeResponse>;
  return { body: readResult(body), isFailed, isCanceled };
}

// A child's result arrives as the JSON text that the child has ended with.
function readResult(result: unknown): unknown {
  if (typeof result !== "string" || result === "") return result === "" ? undefined : result;
  try {
    return JSON.parse(result);
  } catch {
    return result;
  }
}
