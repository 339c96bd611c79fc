import type { RunContext, WorkflowContext } from "./context.ts";
import type { FailurePlace } from "./protocol/error.ts";
import type { WorkflowStepError } from "./util/errors.ts";
import { parseLeniently } from "./util/json.ts";
import type { OnlyJson } from "./util/jsonify.ts";
import { checkSchema, type Schema, validate } from "./util/schema.ts";

/** A workflow: code whose steps are recorded, so that a later delivery can continue it. */
export type WorkflowFunction<Payload = unknown, Result = unknown> = (
  context: WorkflowContext<Payload>,
) => Result | Promise<Result>;

/** A workflow whose result JSON can contain; `serve` and `createWorkflow` require one. */
export type RecordableWorkflow<Payload, Result> = WorkflowFunction<Payload, Result> & OnlyJson<Result>;

/** A finished step, with its result or its error. */
export type CompletedStep = { readonly id: number; readonly name: string; readonly type: string } & (
  | { readonly result: unknown; readonly error?: never }
  /** With `onExhausted: "throw"`, a step that has failed. */
  | { readonly result?: never; readonly error: WorkflowStepError }
);

/** The state of a step's rollback. */
export interface Rollback {
  readonly step: { readonly id: number; readonly name: string; readonly type: string };
  /** `failed`: its attempts are used up. `pending`: it hasn't run yet; only in a report on another workflow's run. */
  readonly state: "done" | "failed" | "pending";
  readonly attempts: number;
  /** The error of its last attempt, when it failed. */
  readonly error?: Error;
}

/** The arguments that failure and cancel functions share. */
export interface RunEndParams<Payload = unknown> {
  /** The run: its properties, and no steps. */
  readonly context: RunContext<Payload>;
  /** The recorded steps. Undefined on engines that don't send them; Perdure's own does. */
  readonly steps: readonly CompletedStep[] | undefined;
  /** In the order in which they ran: the last step's first. */
  readonly rollbacks: readonly Rollback[];
}

/** The argument of a failure function. */
export interface FailureFunctionParams<Payload = unknown> extends RunEndParams<Payload> {
  /** Status of the endpoint's last answer; 0 when there was none. */
  readonly failStatus: number;
  /** The message of the error that ended the run, or the answer's body when it wasn't one of ours. */
  readonly failResponse: string;
  /** Headers of that answer. */
  readonly failHeaders: Record<string, string[]>;
  /** The error's stack; empty when the answer had none. */
  readonly failStack: string;
  /** That answer's body as it came, also when it wasn't one of ours. */
  readonly failBody: string;
  /** Identifies this failure: the same in each retry, another one when the run is resumed and fails again. */
  readonly failureId: string;
  /** The id of the run's entry in the dead letter queue. */
  readonly dlqId: string | undefined;
  /** The number of attempts that the failing delivery had. */
  readonly attempts: number;
  /** The place of the failure; `delivery` when the endpoint gave no answer, or one that isn't this package's. */
  readonly where: FailurePlace;
  /** The step that failed. */
  readonly step: { readonly id: number; readonly name: string; readonly type: string } | undefined;
  /** The error as it was thrown, with its causes; the engine's own message when the endpoint threw none. */
  readonly error: Error;
}

/**
 * Called once a run has failed, without retries left. The engine may call it again with the same arguments, if it got no answer.
 *
 * @returns a value that JSON can contain; the engine records it with the run
 * @throws Error to make the engine retry, with the run's retries; WorkflowNonRetryableError prevents a retry,
 * WorkflowRetryAfterError delays it
 */
export type FailureFunction<Payload = unknown> = (params: FailureFunctionParams<Payload>) => unknown;

/** The argument of a cancel function. */
export interface CancelFunctionParams<Payload = unknown> extends RunEndParams<Payload> {
  /** Identifies this cancellation: the same in each retry. */
  readonly cancelId: string;
}

/** Called once a run was cancelled, on Perdure's own engine. Otherwise like a {@link FailureFunction}. */
export type CancelFunction<Payload = unknown> = (params: CancelFunctionParams<Payload>) => unknown;

/** Options that turn the initial payload into `context.requestPayload`: a schema or a parser. Default: JSON if it parses. */
export type PayloadOptions<Payload> =
  | {
      /** A Standard Schema (zod, valibot, arktype, …). A payload that it rejects fails the run, without retries. */
      readonly schema?: Schema<Payload>;
      readonly initialPayloadParser?: never;
    }
  | {
      readonly schema?: never;
      /**
       * Receives the payload as a string, empty for none. An error that it throws fails the attempt. Declare its parameter's type, so
       * that TypeScript infers the payload's type from its result: `(text: string) => …`.
       */
      readonly initialPayloadParser?: (payload: string) => Payload | Promise<Payload>;
    };

/**
 * Returns the function that parses a payload, an empty string for none, into `context.requestPayload`.
 *
 * @throws TypeError when both a schema and a parser are given
 */
export function payloadParser(options: PayloadOptions<unknown>): (payload: string) => Promise<unknown> {
  const { schema, initialPayloadParser: parse } = options;
  if (schema && parse) throw new TypeError("Give a schema or an initialPayloadParser, not both.");
  if (schema) checkSchema(schema);
  if (parse) return async (payload) => parse(payload);
  if (schema) return async (payload) => validate(schema, parseLeniently(payload), MISFIT);
  return async (payload) => parseLeniently(payload);
}

const MISFIT = { code: "invalid_payload", message: "The payload doesn't fit the workflow's schema" } as const;
