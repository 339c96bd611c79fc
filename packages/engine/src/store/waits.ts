import type { Run } from "../rules/run.ts";
import type { NewWait } from "../rules/wait.ts";

export interface WaitReceipt {
  /** The id of the message that delivers the wait's result. */
  readonly messageId: string;
  /** It waits, or is recorded, already. */
  readonly deduplicated: boolean;
}

export interface EventNotification {
  readonly eventId: string;
  readonly data: Uint8Array;
  /** Only this run, or the one that goes on from it, is told. */
  readonly runId?: string | undefined;
  /** It came by a webhook, which must be one of the run's own, and keeps no more than this. */
  readonly webhook?: WebhookLimits;
}

/** Requests that a webhook keeps until its run waits for them. */
export interface WebhookLimits {
  readonly hits: number;
  readonly bytes: number;
}

/** Whether a webhook takes one more request. */
export type WebhookState = "open" | "full" | "none";

export type NotifyResult =
  /** The run that it was meant for isn't alive. */
  | { readonly kind: "not live" }
  /** The run has no such webhook. */
  | { readonly kind: "no webhook" }
  /** The run doesn't wait for it now, and the webhook keeps as much as it may. */
  | { readonly kind: "full" }
  | {
      readonly kind: "delivered";
      readonly waiters: readonly Waiting[];
    };

/** A step of a run that waits for an event. */
export interface Waiting {
  readonly run: Pick<Run, "id" | "createdAt">;
  readonly wait: NewWait;
}
