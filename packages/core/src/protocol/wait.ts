import * as HEADER from "./header-names.ts";
import { CANONICAL_RUN_ID } from "./headers.ts";
import { type RunRef, stepHeaders } from "./message.ts";
import { definedHeaders } from "./options.ts";
import type { StepRecord } from "./step.ts";

/** A request to record an event as a step's result, or a timeout. */
export interface WaitRequest {
  readonly eventId: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: WaitBody;
}

/** The body of a request to wait for an event. */
export interface WaitBody {
  readonly url: string;
  /** A duration. */
  readonly timeout: string;
  readonly timeoutUrl: string;
  /** Headers for the delivery of the result, each value in a list. */
  readonly timeoutHeaders: Readonly<Record<string, readonly string[]>>;
  readonly step: Pick<StepRecord, "stepId" | "stepName" | "stepType" | "concurrent">;
}

export function waitRequest(
  run: RunRef,
  eventId: string,
  timeout: string,
  step: WaitBody["step"],
): WaitRequest {
  const headers = definedHeaders([...stepHeaders(run), [HEADER.callType, "step"]]);
  return {
    eventId,
    headers,
    body: { url: run.url, timeout, timeoutUrl: run.url, timeoutHeaders: asLists(headers), step },
  };
}

/** Converts headers for a body, with the run's id in both spellings. */
export function asLists(headers: Readonly<Record<string, string>>): Record<string, string[]> {
  const lists = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, [value]]));
  const runId = lists[HEADER.runId];
  return runId ? { ...lists, [CANONICAL_RUN_ID]: runId } : lists;
}

/** A run that waits for an event. */
export interface Waiter {
  readonly url: string;
  /** Unix time in seconds. */
  readonly deadline: number;
  readonly headers: Readonly<Record<string, readonly string[]>>;
  readonly timeoutUrl?: string;
  readonly timeoutBody?: unknown;
  readonly timeoutHeaders?: Readonly<Record<string, readonly string[]>>;
}

/** The result of notifying one run. */
export interface NotifyResponse {
  readonly waiter: Waiter;
  readonly messageId: string;
  readonly error?: string;
  readonly deduplicated?: boolean;
  readonly workflowRunId?: string;
}

/** A request to a webhook, as the engine records it. */
export interface WebhookHit {
  readonly method: string;
  readonly header: Readonly<Record<string, readonly string[]>>;
  /** Base64. */
  readonly body: string;
  /** `http` or `https`. */
  readonly proto: string;
  readonly host: string;
  /** Path and query. */
  readonly url: string;
}
