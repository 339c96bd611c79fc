import type { Engine } from "../engine-client/engine.ts";
import type { StepPosition } from "../protocol/call.ts";
import type { Message } from "../protocol/message.ts";
import { parseJson } from "../protocol/parse.ts";
import type { StepRecord, StepType } from "../protocol/step.ts";
import type { WaitRequest } from "../protocol/wait.ts";
import { checkNonEmptyString } from "../util/check.ts";
import { messageOf, WorkflowError } from "../util/errors.ts";
import { warnOfJsonLoss } from "../util/json-loss.ts";
import type { StepOptions } from "./policy.ts";

declare const process: { readonly env: Readonly<Record<string, string | undefined>> };

/** A step as the workflow requests it: its name, and how to record it. */
export interface Step<Result = unknown> {
  readonly name: string;
  readonly type: StepType;
  /** Additional fields of this kind's records and plans. */
  readonly fields?: Pick<StepRecord, "sleepFor" | "sleepUntil" | "waitEventId" | "timeout">;
  /** Retries and rollback. */
  readonly options?: StepOptions;
  /** The time at which the engine delivers the record, or the plan of a member of a group. */
  readonly schedule?: Schedule;
  /** Does the work in the endpoint; the engine records the returned JSON string. */
  readonly perform?: (host: PerformHost) => Promise<string | undefined>;
  /**
   * Lets the engine do the work and record its result. A step without this and `perform` only needs its
   * record.
   */
  readonly toEngineRequest?: (place: StepPlacement) => EngineRequest;
  /** Never set at runtime: it only carries the type of the result. */
  readonly "~result"?: Result;
}

/** The argument of a step's work: one attempt to do it. */
export interface StepAttempt {
  /**
   * Aborted when the engine no longer takes the step's result: the run is cancelled or has failed, another
   * invocation continues it, or the delivery's connection is closed.
   */
  readonly signal: AbortSignal;
  /** 1 for the first attempt. */
  readonly attempt: number;
  /**
   * Identifies the step: the same in each attempt, also after a resumption of the run. Send it with requests
   * that must not have their effect twice.
   */
  readonly idempotencyKey: string;
}

/** The run and the attempt, for a step whose work the endpoint does. */
export interface PerformHost {
  readonly engine: () => Engine;
  readonly runId: string;
  readonly attempt: StepAttempt;
}

/** The position of the engine's work in its run, and the run's data that the work may need. */
export interface StepPlacement extends StepPosition {
  /** The time of the run's creation, in milliseconds since 1970. */
  readonly createdAt: number;
  /**
   * Headers that belong to all of the endpoint's deliveries, under the names that make the engine forward
   * them.
   */
  readonly forwarded: Readonly<Record<string, string>>;
  /** Headers that middlewares add to calls and child runs. */
  readonly outgoing: Readonly<Record<string, string>>;
  /**
   * Returns the URL of a workflow of the same `serveMany`.
   * @throws WorkflowError `unknown_workflow` when it isn't
   */
  readonly urlOf: (workflow: object) => string;
}

export type EngineRequest =
  | { readonly message: Message; readonly wait?: never }
  | { readonly wait: WaitRequest; readonly message?: never };

export interface Schedule {
  /** Seconds or a duration. */
  readonly delay?: number | string;
  /** Unix time in seconds. */
  readonly notBefore?: number;
}

/**
 * Returns the result of `make`, and adds the step's name to its errors.
 *
 * @throws TypeError for an invalid name
 * @throws the TypeError of `make`, which then names the step too
 */
export function inStep<Made>(name: string, make: () => Made): Made {
  checkNonEmptyString("A step's name, its first argument,", name);
  try {
    return make();
  } catch (cause) {
    if (!(cause instanceof TypeError)) throw cause;
    const step = `step "${name}"`;
    const named = cause.message.replace(" must be ", ` of ${step} must be `);
    throw new TypeError(named.includes(step) ? named : `In ${step}: ${named}`, { cause });
  }
}

/**
 * Serializes a result as the engine records it.
 *
 * @throws WorkflowError `not_serializable` for a value that JSON can't represent
 */
export function serialize(result: unknown, what: string): string | undefined {
  try {
    const json = JSON.stringify(result);
    warnInDevelopment(result, json, what);
    return json;
  } catch (cause) {
    throw new WorkflowError(
      "not_serializable",
      `${what} can't be stored as JSON: ${messageOf(cause)}. Return plain values.`,
      { cause },
    );
  }
}

/** Never throws: by now the step's work is done, and a warning must not make the engine repeat it. */
function warnInDevelopment(result: unknown, json: string | undefined, what: string): void {
  try {
    // Bundlers replace this expression, and remove the branch from a production build.
    if (typeof process === "object" && process.env.NODE_ENV !== "production")
      warnOfJsonLoss(result, json, what);
  } catch {
    // Deno throws for a variable that `--allow-env` doesn't allow.
  }
}

/** Serializes a payload or event: a string as it is, everything else as JSON. Throws as {@link serialize}. */
export function toBody(value: unknown, what: string): string | undefined {
  return typeof value === "string" ? value : serialize(value, what);
}

/**
 * Parses a record's result for the workflow; `undefined` when the record has none.
 *
 * @throws WorkflowError `malformed_body` when it isn't JSON
 */
export function deserialize(record: StepRecord): unknown {
  return record.out === undefined
    ? undefined
    : parseJson(`The recorded result of step "${record.stepName}"`, record.out);
}
