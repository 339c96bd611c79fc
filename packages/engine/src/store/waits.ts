import type { Run } from "../rules/run.ts";
import type { NewWait } from "../rules/wait.ts";

export interface WaitReceipt {
  /** The id of the message that delivers the wait's result. */
  readonly messageId: string;
  /** True when the step already waits or has a record. */
  readonly deduplicated: boolean;
}

export interface EventNotification {
  readonly eventId: string;
  readonly data: Uint8Array;
  /**
   * The run that gets the event, or that was resumed in a run that gets it. Every run that waits by default.
   */
  readonly runId?: string | undefined;
  /**
   * Present for an event from a webhook. The webhook must belong to the run, and keeps no more than these
   * limits.
   */
  readonly webhook?: WebhookLimits;
}

/** Requests that a webhook keeps until its run waits for them. */
export interface WebhookLimits {
  readonly hits: number;
  readonly bytes: number;
}

export type NotifyResult =
  /** The run that the event names isn't live. */
  | { readonly kind: "not live" }
  | {
      readonly kind: "delivered";
      readonly waiters: readonly Waiting[];
    };

/** A step of a run that waits for an event. */
export interface Waiting {
  readonly run: Pick<Run, "id" | "createdAt">;
  readonly wait: NewWait;
}
