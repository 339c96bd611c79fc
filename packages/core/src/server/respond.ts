import { encodeStepName } from "../protocol/call.ts";
import { shorten, toErrorBody } from "../protocol/error.ts";
import * as HEADER from "../protocol/header-names.ts";
import { PROTOCOL_VERSION } from "../protocol/headers.ts";
import { NON_RETRYABLE_STATUS, type Outcome, type Refusal } from "../protocol/outcome.ts";
import type { RollbackAnswer } from "../protocol/rollback.ts";
import { writeLine } from "../util/console.ts";
import { toMilliseconds } from "../util/duration.ts";
import { isNonRetryable, isRetryAfter, isStepError } from "../util/errors.ts";

/** Engines expect a version of the official SDK that they know; this package's answers match this version. */
const SDK_NAME = "v1.3.3";

/** Bytes of a step's name in a header, of which all together have only a few kilobytes. */
const MAX_HEADER_NAME_BYTES = 256;

/**
 * Turns an outcome into the endpoint's answer. No other place does.
 *
 * @param withStack whether the answer contains the error's stack: only an authenticated caller may see it
 * @param exact whether the engine is known to read milliseconds
 */
export function respond(outcome: Outcome, withStack: boolean, exact = false): Response {
  switch (outcome.kind) {
    case "done": {
      const { runId: workflowRunId, finish: finishCondition, inline } = outcome;
      const unhandled = finishCondition === "failure-callback-undefined";
      const headers: Record<string, string> = unhandled ? { [HEADER.noFailureFunction]: "true" } : {};
      const body = { workflowRunId, finishCondition, perdure: inline?.end };
      return jsonResponse(200, body, { ...headers, ...leaseHeader(inline) });
    }
    case "failureHandled":
      return jsonResponse(200, { result: outcome.result });
    case "rolledBack": {
      const { record } = outcome;
      const answer: RollbackAnswer = record ? "recorded" : "over";
      return jsonResponse(200, { rollback: record }, { [HEADER.rollback]: answer });
    }
    case "lost":
      return jsonResponse(
        409,
        { error: outcome.reason, message: LOST[outcome.reason] },
        leaseHeader(outcome),
      );
    case "failed":
      return failed(outcome, withStack, exact);
    case "refused":
      return jsonResponse(outcome.status, toErrorBody(outcome.error, false), refusalHeaders(outcome));
    default:
      return outcome satisfies never;
  }
}

const LOST = {
  lease_lost: "Another invocation continues the run.",
  run_over: "The run has ended.",
};

function leaseHeader(inline: { readonly lease: string } | undefined): Record<string, string> {
  return inline ? { [HEADER.lease]: inline.lease } : {};
}

/** Answers a request for a URL without a workflow. Only the console shows the served keys. */
export function notFound(keys: readonly string[]): Response {
  writeLine("warn", `No workflow has this URL. Its last segment must be one of: ${keys.join(", ")}.`);
  return new Response("No workflow is served here.", {
    status: 404,
    headers: { [HEADER.sdkVersion]: PROTOCOL_VERSION, [HEADER.contentType]: "text/plain;charset=UTF-8" },
  });
}

function failed(
  { error, where, step: failing, retry, inline }: Extract<Outcome, { kind: "failed" }>,
  withStack: boolean,
  exact: boolean,
): Response {
  const step = isStepError(error) ? error.step : failing;
  const body = {
    ...toErrorBody(error, withStack),
    where: step ? "step" : where,
    step: step && { ...step, name: shorten(step.name) },
    perdure: inline?.end,
  };
  const headers = leaseHeader(inline);
  if (step) headers[HEADER.errorStepName] = encodeStepName(shorten(step.name, MAX_HEADER_NAME_BYTES));
  if (retry?.exhausted || isNonRetryable(error))
    return jsonResponse(NON_RETRYABLE_STATUS, body, { ...headers, [HEADER.nonRetryable]: "true" });
  if (retry?.retries !== undefined) headers[HEADER.maxRetries] = String(retry.retries);
  if (isRetryAfter(error))
    headers[HEADER.retryAfter] = formatRetryAfter(toMilliseconds(error.retryAfter, "retryAfter"), exact);
  else if (retry?.delayMs !== undefined) headers[HEADER.retryAfter] = `${retry.delayMs}ms`;
  return jsonResponse(isRetryAfter(error) ? 429 : 500, body, headers);
}

// Not every engine knows every unit. Seconds, which all of them know, are rounded up: a wait never ends early.
function formatRetryAfter(ms: number, exact: boolean): string {
  return exact && ms % 1000 > 0 ? `${ms}ms` : String(Math.ceil(ms / 1000));
}

function refusalHeaders({ status, error }: Refusal): Record<string, string> {
  if (status === 405) return { Allow: "POST" };
  // A retry of the same bytes fails again, but another version of this package may support the protocol.
  const final = status === 413 || (status === 400 && error.code !== "protocol_mismatch");
  return final ? { [HEADER.nonRetryable]: "true" } : {};
}

function jsonResponse(status: number, body: object, headers: Record<string, string> = {}): Response {
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
