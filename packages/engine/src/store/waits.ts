import type { Run } from "../domain/run.ts";
import type { WaitIntake } from "../domain/wait.ts";
import type { RecordedStep } from "./recorded.ts";

export interface WaitReceipt {
  /** Of the message that delivers what the wait comes to. */
  readonly messageId: string;
  /** It waits, or is recorded, already. */
  readonly deduplicated: boolean;
  /** The event had come before. */
  readonly recorded: readonly RecordedStep[];
}

export interface Notice {
  readonly eventId: string;
  readonly data: Uint8Array;
  /** Only this run, or the one that goes on from it, is told. */
  readonly runId?: string | undefined;
  /** It came by a webhook, which must be one of the run's own. */
  readonly webhook?: boolean;
}

export type Notified =
  /** The run that it was meant for isn't alive. */
  | { readonly kind: "not live" }
  /** The run has no such webhook. */
  | { readonly kind: "no webhook" }
  | {
      readonly kind: "told";
      readonly waiters: readonly Waiting[];
      readonly recorded: readonly RecordedStep[];
    };

/** A step of a run that waits for an event. */
export interface Waiting {
  readonly run: Pick<Run, "id" | "createdAt">;
  readonly wait: WaitIntake;
}
