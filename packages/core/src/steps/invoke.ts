import { toRunId } from "../protocol/ids.ts";
import { invokeMessage } from "../protocol/invoke.ts";
import { checkRunOptions, type RunOptions } from "../protocol/message.ts";
import type { StepRecord } from "../protocol/step.ts";
import { mustBe } from "../util/check.ts";
import { parseLeniently } from "../util/json.ts";
import type { Jsonify, OnlyJson } from "../util/jsonify.ts";
import { checkOptions } from "../util/options.ts";
import { type RollbackOptions, rollbackOf } from "./policy.ts";
import { deserialize, type Step, toBody } from "./step.ts";

/** A workflow that others can start; `createWorkflow` and `serve` return one. */
export interface Invokable<Payload = unknown, Result = unknown> {
  /** Never set at runtime: it only carries the types. */
  readonly "~types"?: { readonly payload: Payload; readonly result: Result };
}

/** The payload's type of a workflow's type: `PayloadOf<typeof order>`. */
export type PayloadOf<Target> = Target extends { readonly "~types"?: { readonly payload: infer Payload } }
  ? Payload
  : unknown;

/** The result's type of a workflow's type, such as `typeof order`. Any other type is a result's type itself. */
export type ResultOf<Target> = "~types" extends keyof Target
  ? Target extends { readonly "~types"?: { readonly result: infer Result } }
    ? Result
    : unknown
  : Target;

/** A run of another workflow of the same `serveMany`. */
export type InvokeSettings<Payload = unknown, Result = unknown> = Pick<
  RunOptions,
  | "headers"
  | "retries"
  | "retryDelay"
  | "failureRetries"
  | "failureRetryDelay"
  | "timeout"
  | "flowControl"
  | "label"
> & {
  /** A workflow from `createWorkflow`, served by the same `serveMany`. */
  readonly workflow: Invokable<Payload, Result>;
  /** A name for the child's run; random by default. */
  readonly workflowRunId?: string;
} & InvokeBody<Payload>;

/** The payload of a run, optional where the workflow takes none. */
export type InvokeBody<Payload> = undefined extends Payload
  ? {
      /** The child's payload, if it has one: a string is sent as it is, everything else as JSON. */
      readonly body?: ChildPayload<NoInfer<Payload>>;
    }
  : {
      /** The child's payload: a string is sent as it is, everything else as JSON. */
      readonly body: ChildPayload<NoInfer<Payload>>;
    };

/** The child's payload type, or its JSON form: the child receives the same from both. */
export type ChildPayload<Payload> = (Payload | Jsonify<Payload>) & OnlyJson<Payload>;

/**
 * The end of a child's run. Only a run that has neither failed nor been cancelled has a `body`: its result.
 */
export type InvokeResponse<Result = unknown> =
  | { readonly body: Jsonify<Result>; readonly isFailed: false; readonly isCanceled: false }
  | { readonly body: undefined; readonly isFailed: true; readonly isCanceled: false }
  | { readonly body: undefined; readonly isFailed: false; readonly isCanceled: true };

/** Starts a child run and waits for its end. */
export function invoke<Payload, Result>(
  name: string,
  settings: InvokeSettings<Payload, Result> & RollbackOptions<InvokeResponse<Result>>,
): Step<InvokeResponse<Result>> {
  checkOptions(
    `step "${name}"`,
    settings as InvokeSettings & RollbackOptions,
    "body headers retries retryDelay flowControl timeout label failureRetries failureRetryDelay workflow workflowRunId rollback rollbackRetries rollbackRetryDelay rollbackTimeout",
  );
  const options = rollbackOf(settings);
  const { workflow, body, workflowRunId, ...childOptions } = settings as InvokeSettings<unknown, Result>;
  if (Object(workflow) !== workflow) throw mustBe("workflow", "a workflow", workflow);
  const payload = toBody(body, `The payload of step "${name}"`);
  const runId = toRunId(workflowRunId);
  checkRunOptions(childOptions);
  return {
    name,
    type: "Invoke",
    options,
    toEngineRequest: (place) => {
      const headers = { ...place.outgoing, ...childOptions.headers };
      const child = { ...childOptions, headers, url: place.urlOf(workflow), runId, body: payload };
      return { message: invokeMessage(place, name, child) };
    },
  };
}

export function readInvoke(record: StepRecord): InvokeResponse {
  const {
    body,
    isFailed = false,
    isCanceled = false,
  } = Object(deserialize(record)) as Partial<InvokeResponse>;
  // A child's result arrives as the JSON string that the child returned.
  const result = typeof body === "string" ? parseLeniently(body) : body;
  return { body: result, isFailed, isCanceled } as InvokeResponse;
}
