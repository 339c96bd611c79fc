import { encodeUtf8 } from "../util/bytes.ts";
import { hasStrings, safely } from "../util/check.ts";
import { isError, messageOf } from "../util/errors.ts";
import { parseLeniently } from "../util/json.ts";

/** The step in which an attempt failed. */
export interface FailedStep {
  readonly id: number;
  readonly name: string;
  readonly type: string;
  readonly rollback?: true | undefined;
}

/** The place of a failure. `delivery`: the endpoint gave no answer, or its answer isn't that of a workflow. */
export type FailurePlace =
  | "payload"
  | "before-first-step"
  | "step"
  | "after-last-step"
  | "replay"
  | "delivery";

/** An error as JSON: in the body of an answer, in failure callbacks, and in records. */
export interface ErrorBody {
  /** The error's name. */
  readonly error: string;
  readonly message: string;
  /** Only authenticated callers receive stacks. */
  readonly stack?: string | undefined;
  readonly cause?: ErrorBody | undefined;
  /** The errors in an `AggregateError`, which `Promise.any` throws, without their causes. */
  readonly errors?: readonly ErrorBody[] | undefined;
  readonly where?: Exclude<FailurePlace, "delivery"> | undefined;
  readonly step?: FailedStep | undefined;
}

/** The JSON with which an endpoint answers an attempt that failed. */
export type FailureFunctionPayload = Pick<ErrorBody, "error" | "message" | "stack">;

const MAX_CAUSE_DEPTH = 8;
const MAX_AGGREGATE_ERRORS = 10;

/** The most bytes of an error's message, and of its stack, as JSON. */
const MAX_STRING_BYTES = 64 * 1024;
const MAX_NAME_BYTES = 1024;

/**
 * Converts an error to JSON, its strings shortened to `maxBytes` each. Each cause may have half of its parent's bytes, and
 * each error of an `AggregateError` a sixteenth, so that the result stays far below the 1 MiB that engines read.
 *
 * @param withStack whether the result contains the stacks
 * @example
 * ```ts
 * toErrorBody(new TypeError("boom"), false); // { error: "TypeError", message: "boom" }
 * ```
 */
export function toErrorBody(
  thrown: unknown,
  withStack: boolean,
  depth = 0,
  maxBytes: number = MAX_STRING_BYTES,
): ErrorBody {
  const full = messageOf(thrown);
  const message = shorten(full, maxBytes);
  const plain = { error: "Error", message };
  if (!isError(thrown)) return plain;
  const read = (): ErrorBody => {
    // User code may have set these to any value.
    const { name, stack, cause, errors } = thrown as { [Field in keyof AggregateError]?: unknown };
    const isDeepest = depth === MAX_CAUSE_DEPTH;
    return {
      error: typeof name === "string" ? shorten(name, MAX_NAME_BYTES) : "Error",
      message,
      stack: withStack && typeof stack === "string" ? shortenStack(stack, full, maxBytes) : undefined,
      cause:
        cause === undefined || isDeepest ? undefined : toErrorBody(cause, withStack, depth + 1, maxBytes / 2),
      errors: isDeepest
        ? undefined
        : mapErrors(
            errors,
            (one) => isError(one) && toErrorBody(one, withStack, MAX_CAUSE_DEPTH, maxBytes / 16),
          ),
    };
  };
  // Getters and proxies of user code may throw.
  return safely(read) ?? plain;
}

// A stack begins with the message, which must leave space for the lines of code.
function shortenStack(stack: string, message: string, maxBytes: number): string {
  const head = shorten(message, maxBytes / 2);
  return shorten(head === message ? stack : stack.replace(message, () => head), maxBytes);
}

/**
 * Shortens a string to `maxBytes` of JSON, and appends its original length.
 *
 * @example
 * ```ts
 * shorten("abcdef", 3); // "abc… [cut: 6 characters]"
 * ```
 */
export function shorten(full: string, maxBytes: number = MAX_STRING_BYTES): string {
  let kept = full.slice(0, maxBytes);
  // A character has at most six bytes in JSON, so short strings need no measurement.
  let size = kept.length * 6;
  while (size > maxBytes) {
    size = encodeUtf8(JSON.stringify(kept)).length - 2;
    if (size > maxBytes) kept = kept.slice(0, Math.floor((kept.length * maxBytes) / size));
  }
  if (kept.length === full.length) return full;
  // Remove half of a surrogate pair.
  return `${kept.replace(/[\ud800-\udbff]$/, "")}… [cut: ${full.length} characters]`;
}

function mapErrors(
  errors: unknown,
  read: (one: unknown) => ErrorBody | false | undefined,
): ErrorBody[] | undefined {
  const found = Array.isArray(errors) ? errors.slice(0, MAX_AGGREGATE_ERRORS).map(read).filter(Boolean) : [];
  return found.length > 0 ? (found as ErrorBody[]) : undefined;
}

/** Restores an error from its JSON, which another program may have written. */
export function toError(body: ErrorBody): Error {
  const {
    error: name,
    message,
    stack = "",
    cause,
    errors,
  } = asErrorBody(body) ?? { error: "Error", message: "" };
  const options = cause && { cause: toError(cause) };
  const error = errors
    ? new AggregateError(errors.map(toError), message, options)
    : new Error(message, options);
  return Object.assign(error, { name, stack });
}

/** Validates a value as an error's JSON: drops invalid fields, and returns undefined without a message. */
export function asErrorBody(value: unknown, depth = 0): ErrorBody | undefined {
  const { error, message, stack, cause, errors, where, step } = Object(value) as Record<string, unknown>;
  if (typeof message !== "string") return undefined;
  return {
    error: typeof error === "string" ? error : "Error",
    message,
    stack: typeof stack === "string" ? stack : undefined,
    cause: depth < MAX_CAUSE_DEPTH ? asErrorBody(cause, depth + 1) : undefined,
    errors:
      depth < MAX_CAUSE_DEPTH ? mapErrors(errors, (one) => asErrorBody(one, MAX_CAUSE_DEPTH)) : undefined,
    where: PLACES.find((place) => place === where),
    step: isFailedStep(step) ? step : undefined,
  };
}

/** The error of a failed run, as logs show it. */
export interface RunError {
  /** The name of the thrown error; `WorkflowError` when the endpoint's answer isn't that of a workflow. */
  readonly name: string;
  readonly message: string;
  readonly where: FailurePlace;
  /** The step that failed; absent when none did, or when the answer doesn't name it. */
  readonly step?: { readonly id: number; readonly name: string; readonly type: string } | undefined;
}

/**
 * Reads the answer to a failed attempt, or the engine's message when there was no answer.
 *
 * @param status the answer's status, 0 without an answer; it is the message of an empty answer
 * @example
 * ```ts
 * const { name, message, where } = readFailure('{"error":"TypeError","message":"boom"}', 500);
 * ```
 */
export function readFailure(
  body: string,
  status: number,
): RunError & { readonly thrown?: ErrorBody | undefined } {
  // The answer of another program is its own message.
  const thrown = asErrorBody(parseLeniently(body));
  return {
    name: thrown?.error ?? "WorkflowError",
    message: thrown?.message ?? (body || `status ${status}`),
    where: (thrown?.step ? "step" : thrown?.where) ?? "delivery",
    step: thrown?.step,
    thrown,
  };
}

const PLACES = ["payload", "before-first-step", "step", "after-last-step", "replay"] as const;

function isFailedStep(value: unknown): value is FailedStep {
  return typeof Object(value).id === "number" && hasStrings(value, ["name", "type"]);
}
