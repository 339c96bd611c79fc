import { textFromBase64 } from "../kernel/bytes.ts";
import { messageOf, WorkflowError } from "../kernel/errors.ts";
import { excerpt } from "./step.ts";

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
}

/** How the endpoint writes an error into the body of an answer, and so what most failure callbacks carry. */
export interface ErrorBody {
  /** The error's name. */
  readonly error: string;
  readonly message: string;
  /** Only where the caller is known. */
  readonly stack?: string;
}

/** What a failure function is told about the failing attempt. */
export interface FailureReport {
  readonly failStatus: number;
  readonly failHeaders: Record<string, string[]>;
  /** The error's message when the endpoint answered with one, else the body as it came. */
  readonly failResponse: string;
  /** Empty when the endpoint sent none. */
  readonly failStack: string;
  readonly url: string | undefined;
  /** The initial payload as it was sent. */
  readonly payload: string;
  readonly createdAt: number | undefined;
}

/** @throws WorkflowError `malformed_body` when the text isn't a failure callback */
export function parseFailure(json: string): FailureReport {
  let body: Partial<FailureBody>;
  try {
    body = JSON.parse(json);
  } catch (cause) {
    throw malformed(`isn't JSON (${messageOf(cause)})`, json, cause);
  }
  if (typeof body !== "object" || body === null || typeof body.status !== "number") {
    throw malformed("needs a numeric status", json);
  }
  const response = decode(body.body, json);
  const error = asErrorBody(response);
  return {
    failStatus: body.status,
    failHeaders: copyHeaders(body.header),
    failResponse: error?.message ?? response,
    failStack: error?.stack ?? "",
    url: typeof body.url === "string" ? body.url : undefined,
    payload: decode(body.sourceBody, json),
    createdAt: toTime(body.workflowCreatedAt),
  };
}

function asErrorBody(response: string): ErrorBody | undefined {
  let value: unknown;
  try {
    value = JSON.parse(response);
  } catch {
    return undefined; // An answer of somebody else's: it is reported as it came.
  }
  if (typeof value !== "object" || value === null) return undefined;
  const { error, message, stack } = value as Record<keyof ErrorBody, unknown>;
  if (typeof message !== "string") return undefined;
  return {
    error: typeof error === "string" ? error : "Error",
    message,
    ...(typeof stack === "string" ? { stack } : {}),
  };
}

function copyHeaders(headers: unknown): Record<string, string[]> {
  const copy: Record<string, string[]> = {};
  for (const [name, value] of Object.entries(headers ?? {})) copy[name] = [value].flat().map(String);
  return copy;
}

// Some engines send the time as a text of digits.
function toTime(value: unknown): number | undefined {
  const time = Number(value);
  return value !== undefined && Number.isFinite(time) ? time : undefined;
}

function decode(base64: unknown, json: string): string {
  if (base64 === undefined || base64 === null || base64 === "") return "";
  try {
    return textFromBase64(base64 as string);
  } catch (cause) {
    throw malformed("holds a body that isn't base64", json, cause);
  }
}

function malformed(problem: string, json: string, cause?: unknown): WorkflowError {
  return new WorkflowError("malformed_body", `The failure callback ${problem}: ${excerpt(json)}`, { cause });
}
