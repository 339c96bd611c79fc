import type { RunContext, WorkflowContext } from "./context.ts";
import type { FailurePlace } from "./protocol/error.ts";
import type { WorkflowStepError } from "./util/errors.ts";
import { parseLeniently } from "./util/json.ts";
import type { OnlyJson } from "./util/jsonify.ts";
import { type Schema, validate } from "./util/schema.ts";

/** A workflow: code whose steps are recorded, so that it can be left and taken up again. */
export type WorkflowFunction<Payload = unknown, Result = unknown> = (
  context: WorkflowContext<Payload>,
) => Result | Promise<Result>;

/** A workflow whose result JSON can carry: what `serve` and `createWorkflow` take. */
export type RecordableWorkflow<Payload, Result> = WorkflowFunction<Payload, Result> & OnlyJson<Result>;

/** A step that has come to its end. */
export type CompletedStep = { readonly id: number; readonly name: string; readonly type: string } & (
  | { readonly result: unknown; readonly error?: never }
  /** With `onExhausted: "throw"`, a step that has failed. */
  | { readonly result?: never; readonly error: WorkflowStepError }
);

/** What became of a step's rollback. */
export interface Rollback {
  readonly step: { readonly id: number; readonly name: string; readonly type: string };
  /** `failed`: its attempts are used up. `pending`: it is still to be made; only where another workflow has failed. */
  readonly state: "done" | "failed" | "pending";
  readonly attempts: number;
  /** What it has thrown last, when it failed. */
  readonly error?: Error;
}

/** What is told of a run that has ended otherwise than by its workflow's return. */
export interface RunEndParams<Payload = unknown> {
  /** The run: its properties, and no steps. */
  readonly context: RunContext<Payload>;
  /** The steps that are on record. Undefined where the engine doesn't tell: Perdure's own does. */
  readonly steps: readonly CompletedStep[] | undefined;
  /** In the order in which they were made: the last step's first. */
  readonly rollbacks: readonly Rollback[];
}

/** What a failure function is called with. */
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
  /** The same each time this failure is told, and another one when the run is resumed and fails again. */
  readonly failureId: string;
  /** Of the run's entry in the dead letter queue. */
  readonly dlqId: string | undefined;
  /** How often the failing delivery was tried. */
  readonly attempts: number;
  /** Where it failed; `delivery` when the endpoint gave no answer, or one that isn't ours. */
  readonly where: FailurePlace;
  /** The step that failed. */
  readonly step: { readonly id: number; readonly name: string; readonly type: string } | undefined;
  /** The error as it was thrown, with its causes; where nothing was, what the engine says. */
  readonly error: Error;
}

/**
 * Called once a run has failed for good. It may be called again with the same arguments when its outcome got lost.
 *
 * @returns anything that JSON can carry: it goes on record with the run
 * @throws to be called again, by the run's retries; WorkflowNonRetryableError not to be; WorkflowRetryAfterError later
 */
export type FailureFunction<Payload = unknown> = (params: FailureFunctionParams<Payload>) => unknown;

/** What a cancel function is called with. */
export interface CancelFunctionParams<Payload = unknown> extends RunEndParams<Payload> {
  /** The same each time this cancellation is told. */
  readonly cancelId: string;
}

/** Called once a run was cancelled, on Perdure's own engine. Otherwise as a {@link FailureFunction}. */
export type CancelFunction<Payload = unknown> = (params: CancelFunctionParams<Payload>) => unknown;

/** How the initial payload becomes `context.requestPayload`: by a schema, by a parser, or as JSON where it is JSON. */
export type PayloadOptions<Payload> =
  | {
      /** A Standard Schema (zod, valibot, arktype, …). A payload that it rejects fails the run, without retries. */
      readonly schema?: Schema<Payload>;
      readonly initialPayloadParser?: never;
    }
  | {
      readonly schema?: never;
      /**
       * Is given the payload's text, empty for none. What it throws fails the attempt. For its result to become the
       * payload's type, its parameter needs one: `(text: string) => …`.
       */
      readonly initialPayloadParser?: (payload: string) => Payload | Promise<Payload>;
    };

/**
 * The way from a payload's text, empty for none, to `context.requestPayload`.
 *
 * @throws TypeError when both a schema and a parser are given
 */
export function payloadParser(options: PayloadOptions<unknown>): (payload: string) => Promise<unknown> {
  const { schema, initialPayloadParser: parse } = options;
  if (schema && parse) throw new TypeError("Give a schema or an initialPayloadParser, not both.");
  if (schema && !("~standard" in schema))
    throw new TypeError("schema must be a Standard Schema (zod 3.24 or later).");
  if (parse) return async (payload) => parse(payload);
  if (schema) return async (payload) => validate(schema, parseLeniently(payload));
  return async (payload) => parseLeniently(payload);
}
