import { hasStrings } from "../util/check.ts";
import { WorkflowError } from "../util/errors.ts";
import { asErrorBody, type FailedStep, type FailurePlace, readFailure, toError } from "./error.ts";
import { type HistoryEntry, isHistory } from "./history.ts";
import type { StepKey } from "./inline.ts";
import { malformed, parseBase64, parseCallback } from "./parse.ts";
import type { PendingRollback, RollbackRecord } from "./rollback.ts";

/** The JSON body of a failure callback: the attempt that failed last, and what the run had been started with. */
export interface FailureBody {
  /** The status of the last attempt; 0 when there was no answer. */
  readonly status: number;
  /** Headers of that answer. */
  readonly header: Readonly<Record<string, readonly string[]>>;
  /** Base64 of that answer's body. */
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
  /** In milliseconds since 1970, as `createdAt`. */
  readonly notBefore: number;
  readonly createdAt: number;
  readonly callerIP: string;
  readonly dlqId: string;
  readonly workflowRunId: string;
  readonly workflowCreatedAt: number;
  /** What our own engine adds. */
  readonly perdure?: FailureDetails;
}

/** What our own engine knows of a run that has ended badly, beside what other engines tell. */
export interface FailureDetails {
  /** The run's history; absent when it is too large to be sent along, and is to be fetched. */
  readonly history?: readonly HistoryEntry[];
  /** Ids of the planned steps whose delivery had begun. */
  readonly started: readonly number[];
  /** The step after those on record may have been begun. */
  readonly begun?: boolean;
  /** The steps of an inline run that were under way, as far as its endpoint has said which. They aren't on record. */
  readonly underWay?: readonly StepKey[];
  /** Rollbacks that are on record; with `rollbacksPending`, those that are known to come as well. */
  readonly rollbacks: readonly (RollbackRecord | PendingRollback)[];
  /** The workflow is still being asked for its rollbacks. The report comes again when they have ended. */
  readonly rollbacksPending?: boolean;
  /**
   * `rollback`: only those are asked for, because somebody else is told of the failure, or has been told.
   * `report`: they are somebody else's to make.
   */
  readonly only?: "rollback" | "report";
  /** Where `body` is the engine's reason: base64 of the endpoint's answer, empty when there was none. */
  readonly answer?: string;
}

/** What a failure function is told about the failing attempt. */
export interface FailureReport {
  readonly failStatus: number;
  readonly failHeaders: Record<string, string[]>;
  /** The error's message when the endpoint answered with one, else the body as it came. */
  readonly failResponse: string;
  /** Empty when the endpoint sent none. */
  readonly failStack: string;
  /** The endpoint's answer as it came. */
  readonly failBody: string;
  /** The same for each delivery of this failure, and another one when the run is resumed and fails again. */
  readonly failureId: string;
  /** The run that has failed; undefined where the engine doesn't say. */
  readonly runId: string | undefined;
  /** Of the dead letter. */
  readonly dlqId: string | undefined;
  /** How often the failing delivery was tried. */
  readonly attempts: number;
  readonly where: FailurePlace;
  readonly step: FailedStep | undefined;
  /** The error as it was thrown; what the engine says where nothing was. */
  readonly error: Error;
  readonly url: string | undefined;
  /** The initial payload as it was sent. */
  readonly payload: string;
  readonly createdAt: number | undefined;
  readonly details: FailureDetails | undefined;
}

const SUBJECT = "The failure callback";

/** @throws WorkflowError `malformed_body` when the text isn't a failure callback */
export function parseFailure(json: string): FailureReport {
  const body = parseCallback<Partial<FailureBody>>(SUBJECT, json);
  if (body.perdure !== undefined && !isDetails(body.perdure))
    throw malformed(SUBJECT, "has wrong details", json);
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

// Some engines send the time as a text of digits.
function toNumber(value: unknown): number | undefined {
  const number = typeof value === "string" ? Number(value) : value;
  return typeof number === "number" && Number.isFinite(number) ? number : undefined;
}

function decode(base64: unknown): string {
  return parseBase64(base64 ?? "", "A body in the failure callback");
}
