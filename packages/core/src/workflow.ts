import type { RunContext, WorkflowContext } from "./context.ts";
import { type Schema, validate } from "./kernel/schema.ts";

/** A workflow: code whose steps are recorded, so that it can be left and taken up again. */
export type WorkflowFunction<Payload = unknown, Result = unknown> = (
  context: WorkflowContext<Payload>,
) => Result | Promise<Result>;

/** What a failure function is called with. */
export interface FailureFunctionParams<Payload = unknown> {
  /** The failed run: its properties, and no steps. */
  readonly context: RunContext<Payload>;
  /** Status of the endpoint's last answer; 0 when there was none. */
  readonly failStatus: number;
  /** The message of the error that ended the run, or the answer's body when it wasn't one of ours. */
  readonly failResponse: string;
  /** Headers of that answer. */
  readonly failHeaders: Record<string, string[]>;
  /** The error's stack; empty when the answer had none. */
  readonly failStack: string;
}

/**
 * Called once a run has failed for good. It may be called again with the same arguments when its outcome got lost.
 *
 * @returns anything that JSON can carry: it goes on record with the run
 * @throws to be called again, by the run's retries; WorkflowNonRetryableError not to be; WorkflowRetryAfterError later
 */
export type FailureFunction<Payload = unknown> = (params: FailureFunctionParams<Payload>) => unknown;

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
  if (parse) return async (payload) => parse(payload);
  if (schema) return async (payload) => validate(schema, parseLeniently(payload));
  return async (payload) => parseLeniently(payload);
}

/** JSON where it is JSON, the text itself where not, `undefined` where there is none. */
export function parseLeniently(payload: string): unknown {
  if (payload === "") return undefined;
  try {
    return JSON.parse(payload);
  } catch {
    return payload;
  }
}
