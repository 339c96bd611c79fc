import * as HEADER from "./header-names.ts";
import { CANONICAL_RUN_ID } from "./headers.ts";
import { type RunRef, stepHeaders } from "./message.ts";
import { definedHeaders } from "./options.ts";
import type { StepRecord } from "./step.ts";

/** Asks the engine to record a step's result once an event comes, or a time is over. */
export interface WaitRequest {
  readonly eventId: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: WaitBody;
}

/** The body of a request to wait for an event: what to deliver, and where, once it came or the time is over. */
export interface WaitBody {
  readonly url: string;
  /** A duration. */
  readonly timeout: string;
  readonly timeoutUrl: string;
  /** What the result is to be delivered with, each value in a list. */
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

/** Headers within a body. The run's id is among them in both of its spellings. */
export function asLists(headers: Readonly<Record<string, string>>): Record<string, string[]> {
  const lists = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, [value]]));
  const runId = lists[HEADER.runId];
  return runId ? { ...lists, [CANONICAL_RUN_ID]: runId } : lists;
}

/** Somebody who waits for an event. */
export interface Waiter {
  readonly url: string;
  /** Unix time in seconds. */
  readonly deadline: number;
  readonly headers: Readonly<Record<string, readonly string[]>>;
  readonly timeoutUrl?: string;
  readonly timeoutBody?: unknown;
  readonly timeoutHeaders?: Readonly<Record<string, readonly string[]>>;
}

/** What became of one waiter that was notified. */
export interface NotifyResponse {
  readonly waiter: Waiter;
  readonly messageId: string;
  readonly error?: string;
  readonly deduplicated?: boolean;
  readonly workflowRunId?: string;
}

/** What an engine stores of a request that a webhook received. */
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
