import { hasStrings } from "../util/check.ts";
import { WorkflowError } from "../util/errors.ts";
import type { StepKey } from "./attempt.ts";
import { asErrorBody, type FailedStep, type FailurePlace, readFailure, toError } from "./error.ts";
import { type HistoryEntry, isHistory } from "./history.ts";
import { malformed, parseBase64, parseCallback } from "./parse.ts";
import type { PendingRollback, RollbackRecord } from "./rollback.ts";

/** The JSON body of a failure callback: the last failed attempt, and the request that started the run. */
export interface FailureBody {
  /** The status of the last attempt; 0 when there was no answer. */
  readonly status: number;
  /** Headers of the last answer. */
  readonly header: Readonly<Record<string, readonly string[]>>;
  /** Base64 of the last answer's body. */
  readonly body: string;
  readonly retried: number;
  readonly maxRetries: number;
  readonly sourceMessageId: string;
  /** The workflow's URL. */
  readonly url: string;
  readonly method: string;
  readonly sourceHeader: Readonly<Record<string, readonly string[]>>;
  /** Base64 of the run's initial payload. */
  readonly sourceBody: string;
  /** Milliseconds since 1970, like `createdAt`. */
  readonly notBefore: number;
  readonly createdAt: number;
  readonly callerIP: string;
  readonly dlqId: string;
  readonly workflowRunId: string;
  readonly workflowCreatedAt: number;
  /** Only Perdure's own engine sends it. */
  readonly perdure?: FailureDetails;
}

/** The details of a failed or cancelled run that only Perdure's own engine sends. */
export interface FailureDetails {
  /** The run's history; absent when it is too large for the delivery, and the endpoint must fetch it. */
  readonly history?: readonly HistoryEntry[];
  /** Ids of the planned steps whose delivery had begun. */
  readonly started: readonly number[];
  /** True when the endpoint may have started the step after the recorded ones. */
  readonly begun?: boolean;
  /** For a run that ran inline, the steps without a record that may have begun. */
  readonly underWay?: readonly StepKey[];
  /** The recorded rollbacks; with `rollbacksPending`, also the pending ones. */
  readonly rollbacks: readonly (RollbackRecord | PendingRollback)[];
  /** The workflow's rollbacks are not finished. The engine sends the report again after them. */
  readonly rollbacksPending?: boolean;
  /**
   * `rollback`: the endpoint only rolls back, because another endpoint receives the report.
   * `report`: the endpoint only receives the report, because another endpoint rolls back.
   */
  readonly only?: "rollback" | "report";
  /** Base64 of the endpoint's answer, when `body` is the engine's own message; empty when there was no answer. */
  readonly answer?: string;
}

/** A failure callback, decoded. */
export interface FailureReport {
  readonly failStatus: number;
  readonly failHeaders: Record<string, string[]>;
  /** The message of the error in the endpoint's answer; without an error, the answer's body. */
  readonly failResponse: string;
  /** The error's stack; empty when the endpoint sent none. */
  readonly failStack: string;
  /** The body of the endpoint's answer. */
  readonly failBody: string;
  /** The same in each delivery of this failure, and another one when the run is resumed and fails again. */
  readonly failureId: string;
  /** The failed run; undefined when the engine doesn't send it. */
  readonly runId: string | undefined;
  /** The id of the dead letter. */
  readonly dlqId: string | undefined;
  /** The number of attempts that the failing delivery had. */
  readonly attempts: number;
  readonly where: FailurePlace;
  readonly step: FailedStep | undefined;
  /** The thrown error; an error with the engine's message when the endpoint threw none. */
  readonly error: Error;
  readonly url: string | undefined;
  /** The run's initial payload. */
  readonly payload: string;
  readonly createdAt: number | undefined;
  readonly details: FailureDetails | undefined;
}

const SUBJECT = "The failure callback";

/**
 * Reads the body of a failure callback.
 *
 * @throws WorkflowError `malformed_body` when the string isn't a failure callback
 * @example
 * ```ts
 * const { runId, failStatus, error } = parseFailure(await request.text());
 * ```
 */
export function parseFailure(json: string): FailureReport {
  const body = parseCallback<Partial<FailureBody>>(SUBJECT, json);
  if (body.perdure !== undefined && !isDetails(body.perdure))
    throw malformed(SUBJECT, "has invalid details", json);
  const response = decode(body.body);
  const { thrown, message, where, step } = readFailure(response, body.status);
  const { perdure: details } = body;
  return {
    failStatus: body.status,
    failHeaders: copyHeaders(body.header),
    failResponse: thrown?.message ?? response,
    failStack: thrown?.stack ?? "",
    failBody: details?.answer === undefined ? response : decode(details.answer),
    failureId: toText(body.dlqId) || toText(body.sourceMessageId) || "",
    runId: toText(body.workflowRunId),
    dlqId: toText(body.dlqId),
    attempts: (toNumber(body.retried) || 0) + 1,
    where,
    step,
    error: thrown ? toError(thrown) : new WorkflowError("delivery_failed", message),
    url: toText(body.url),
    payload: decode(body.sourceBody),
    createdAt: toNumber(body.workflowCreatedAt),
    details,
  };
}

function isDetails(value: unknown): value is FailureDetails {
  const { history, started, rollbacks } = Object(value) as Record<keyof FailureDetails, unknown>;
  return (
    (history === undefined || isHistory(history)) &&
    Array.isArray(started) &&
    started.every((one) => typeof one === "number") &&
    Array.isArray(rollbacks) &&
    rollbacks.every(isRollback)
  );
}

function isRollback(value: unknown): value is RollbackRecord {
  const { stepId, error } = Object(value) as Record<keyof RollbackRecord, unknown>;
  return (
    typeof stepId === "number" &&
    hasStrings(value, ["stepName", "stepType"]) &&
    (error === undefined || asErrorBody(error) !== undefined)
  );
}

function copyHeaders(headers: unknown): Record<string, string[]> {
  const entries = Object.entries(headers ?? {});
  return Object.fromEntries(
    entries.map(([name, value]) => [name, [value].flat().filter((one) => typeof one === "string")]),
  );
}

function toText(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

// Some engines send the time as a string of digits.
function toNumber(value: unknown): number | undefined {
  const number = typeof value === "string" ? Number(value) : value;
  return typeof number === "number" && Number.isFinite(number) ? number : undefined;
}

function decode(base64: unknown): string {
  return parseBase64(base64 ?? "", "A body in the failure callback");
}
