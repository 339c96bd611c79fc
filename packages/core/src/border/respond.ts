import { toSeconds } from "../kernel/duration.ts";
import { isNonRetryable, isRetryAfter, messageOf } from "../kernel/errors.ts";
import type { ErrorBody } from "../protocol/failure.ts";
import { HEADER, PROTOCOL_VERSION } from "../protocol/headers.ts";
import { type FailedStep, NON_RETRYABLE_STATUS, type Outcome } from "../protocol/outcome.ts";

/** Engines want to hear of a version of the official SDK that they know: this is the one that our answers agree with. */
const SDK_NAME = "v1.3.3";

/**
 * The only place that makes an answer.
 *
 * @param trusted whether the caller may see where in the code an error happened
 */
export function respond(outcome: Outcome, trusted: boolean): Response {
  switch (outcome.kind) {
    case "done":
      return answer(200, { workflowRunId: outcome.runId, finishCondition: outcome.finish });
    case "failureHandled":
      return answer(200, { result: outcome.result });
    case "failureUnhandled":
      return answer(
        200,
        { workflowRunId: outcome.runId, finishCondition: "failure-callback-undefined" },
        { [HEADER.noFailureFunction]: "true" },
      );
    case "failed":
      return failed(outcome.error, outcome.step, trusted);
    case "refused":
      return answer(outcome.status, errorBody(outcome.error, false), refusalHeaders(outcome.status));
    default:
      return outcome satisfies never;
  }
}

/** For a URL under which none of several workflows is served. */
export function notFound(keys: readonly string[]): Response {
  return new Response(
    `No workflow is served here. The last segment of the URL must be one of: ${keys.join(", ")}.`,
    {
      status: 404,
      headers: { [HEADER.sdkVersion]: PROTOCOL_VERSION, [HEADER.contentType]: "text/plain;charset=UTF-8" },
    },
  );
}

function failed(error: unknown, step: FailedStep | undefined, trusted: boolean): Response {
  const headers: Record<string, string> = step ? { [HEADER.errorStepName]: toHeaderValue(step.name) } : {};
  const body = errorBody(error, trusted);
  if (isNonRetryable(error))
    return answer(NON_RETRYABLE_STATUS, body, { ...headers, [HEADER.nonRetryable]: "true" });
  if (isRetryAfter(error)) {
    // In seconds, which every engine reads: not all know the unit of days.
    return answer(429, body, {
      ...headers,
      [HEADER.retryAfter]: Math.ceil(toSeconds(error.retryAfter)).toFixed(0),
    });
  }
  return answer(500, body, headers);
}

function refusalHeaders(status: number): Record<string, string> {
  if (status === 405) return { Allow: "POST" };
  // The same bytes can't be read better another time.
  return status === 400 || status === 413 ? { [HEADER.nonRetryable]: "true" } : {};
}

function errorBody(error: unknown, withStack: boolean): ErrorBody {
  const message = messageOf(error);
  if (!(error instanceof Error)) return { error: "Error", message };
  return { error: error.name, message, ...(withStack && error.stack ? { stack: error.stack } : {}) };
}

// Header values are bytes: what isn't printable ASCII, or would look encoded already, is percent-encoded.
function toHeaderValue(text: string): string {
  return text.replace(/[^\x20-\x7e]|%/gu, (character) => encodeURIComponent(character));
}

function answer(status: number, body: object, headers: Record<string, string> = {}): Response {
  return new Response(JSON.stringify(body), {
    status,
    headers: {
      [HEADER.contentType]: "application/json",
      [HEADER.sdkVersion]: PROTOCOL_VERSION,
      [HEADER.sdkName]: SDK_NAME,
      ...headers,
    },
  });
}
