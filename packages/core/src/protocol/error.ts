import { encodeUtf8 } from "../util/bytes.ts";
import { hasStrings } from "../util/check.ts";
import { isError, messageOf } from "../util/errors.ts";
import { parseLeniently } from "../util/json.ts";

/** The step in which an attempt failed. */
export interface FailedStep {
  readonly id: number;
  readonly name: string;
  readonly type: string;
  readonly rollback?: true | undefined;
}

/** Where a run has failed. `delivery`: the endpoint gave no answer, or one that isn't ours. */
export type FailurePlace =
  | "payload"
  | "before-first-step"
  | "step"
  | "after-last-step"
  | "replay"
  | "delivery";

/** How an error is written down: in the body of an answer, and so in most failure callbacks, and in records. */
export interface ErrorBody {
  /** The error's name. */
  readonly error: string;
  readonly message: string;
  /** Only where the caller is known, as the causes'. */
  readonly stack?: string | undefined;
  readonly cause?: ErrorBody | undefined;
  /** Those of an `AggregateError`, such as `Promise.any` throws, without their causes. */
  readonly errors?: readonly ErrorBody[] | undefined;
  readonly where?: Exclude<FailurePlace, "delivery"> | undefined;
  readonly step?: FailedStep | undefined;
}

/** The JSON with which an endpoint answers an attempt that failed. */
export type FailureFunctionPayload = Pick<ErrorBody, "error" | "message" | "stack">;

const MAX_CAUSE_DEPTH = 8;
const MAX_AGGREGATE_ERRORS = 10;

/** Bytes of an error's message, and of its stack, as JSON. */
const MAX_STRING_BYTES = 64 * 1024;
const MAX_NAME_BYTES = 1024;

/**
 * An error as it can travel, its strings shortened to `maxBytes` each. Its causes have half as much each time and the
 * errors in it a sixteenth, so that all of them together stay far below the size of an answer that engines read: 1 MiB.
 *
 * @param withStack whether whoever reads it may see where in the code it happened
 */
export function toErrorBody(
  thrown: unknown,
  withStack: boolean,
  depth = 0,
  maxBytes: number = MAX_STRING_BYTES,
): ErrorBody {
  const full = messageOf(thrown);
  const message = shorten(full, maxBytes);
  if (!isError(thrown)) return { error: "Error", message };
  // User code may have put anything there.
  const { name, stack, cause, errors } = thrown as { [Field in keyof AggregateError]?: unknown };
  const deepest = depth === MAX_CAUSE_DEPTH;
  return {
    error: typeof name === "string" ? shorten(name, MAX_NAME_BYTES) : "Error",
    message,
    stack: withStack && typeof stack === "string" ? shortenStack(stack, full, maxBytes) : undefined,
    cause:
      cause === undefined || deepest ? undefined : toErrorBody(cause, withStack, depth + 1, maxBytes / 2),
    errors: deepest
      ? undefined
      : mapErrors(
          errors,
          (one) => isError(one) && toErrorBody(one, withStack, MAX_CAUSE_DEPTH, maxBytes / 16),
        ),
  };
}

// A stack begins with the message, which must leave room for the lines of code.
function shortenStack(stack: string, message: string, maxBytes: number): string {
  const head = shorten(message, maxBytes / 2);
  return shorten(head === message ? stack : stack.replace(message, () => head), maxBytes);
}

/** @returns the string, or as much of its beginning as `maxBytes` of JSON hold, and how long it was */
export function shorten(full: string, maxBytes: number = MAX_STRING_BYTES): string {
  let kept = full.slice(0, maxBytes);
  // JSON has six bytes for a character at most: most strings needn't be measured.
  let size = kept.length * 6;
  while (size > maxBytes) {
    size = encodeUtf8(JSON.stringify(kept)).length - 2;
    if (size > maxBytes) kept = kept.slice(0, Math.floor((kept.length * maxBytes) / size));
  }
  if (kept.length === full.length) return full;
  // Not half a character.
  return `${kept.replace(/[\ud800-\udbff]$/, "")}… [cut: ${full.length} characters]`;
}

function mapErrors(
  errors: unknown,
  read: (one: unknown) => ErrorBody | false | undefined,
): ErrorBody[] | undefined {
  const found = Array.isArray(errors) ? errors.slice(0, MAX_AGGREGATE_ERRORS).map(read).filter(Boolean) : [];
  return found.length > 0 ? (found as ErrorBody[]) : undefined;
}

/** The other way round. Of what was written down by somebody else, only what is an error's is taken. */
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

/** What of a value is such an error; undefined when it isn't one. */
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

/** Why a run has failed, as logs tell it. */
export interface RunError {
  /** The name of the thrown error; `WorkflowError` where the endpoint's answer isn't that of a workflow. */
  readonly name: string;
  readonly message: string;
  readonly where: FailurePlace;
  /** The step that failed; absent where none did, or the answer doesn't say which. */
  readonly step?: { readonly id: number; readonly name: string; readonly type: string } | undefined;
}

/**
 * Reads the answer to an attempt that failed, or the engine's own words where there was none.
 *
 * @param status of the answer, 0 when there was none: the message where the answer is empty
 */
export function readFailure(
  body: string,
  status: number,
): RunError & { readonly thrown?: ErrorBody | undefined } {
  // An answer of somebody else's is reported as it came.
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
