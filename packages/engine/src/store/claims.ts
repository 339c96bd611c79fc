import type { Failure } from "../rules/message.ts";
import type { DeliveredMessage } from "../rules/settlement.ts";

/** The right to settle a message, which the next claim of the message ends. */
export interface Lease {
  readonly seq: number;
  readonly messageId: string;
  /** The run that the message belongs to. */
  readonly runId: string | undefined;
  /** The run's key in the table. */
  readonly run: number | null;
  /** The number of the run's lease, where the delivery offers the right to append. */
  readonly runLease?: number | undefined;
  /** The run that has invoked this run, and that gets its end. */
  readonly invoker?: string | undefined;
  /** Counts the claims of the message. A settlement under an older fencing token is ignored. */
  readonly fence: number;
  /** The queue in which the message keeps a place. */
  readonly queue: string | null;
  /** The flow control key against whose limits it counts. */
  readonly flowKey: string | null;
}

/** The step whose record or failed attempt is the last entry that a delivery carries. */
export interface DeliveredStep {
  readonly name: string;
  /** The entry is the plan of a member of a group: the delivery begins the step. */
  readonly planned: boolean;
}

/** A message to deliver, with everything that its delivery needs. */
export interface Claim extends DeliveredMessage {
  readonly lease: Lease;
  /** For a step's delivery; undefined for a delivery of the payload alone. */
  readonly step?: DeliveredStep | undefined;
  /**
   * Bytes of the large bodies that the claim's entries lack: the operation `entriesOf` reads
   * them.
   */
  readonly omitted: number;
  /**
   * When this attempt was due, in milliseconds since 1970: before its queue, its flow control key or its destination held it
   * back. Undefined when the lease of the last attempt has run out.
   */
  readonly dueAt: number | undefined;
  /** Whether its queue, its flow control key or its destination may have held it back since then. */
  readonly holdable: boolean;
}

export interface Claims {
  readonly claims: readonly Claim[];
  /**
   * When the next message comes due. Messages that the caller holds don't count: it renews their leases
   * itself.
   */
  readonly nextDue: number | undefined;
  /** Whether messages are due that only other transactions have kept from the claim. It may claim them a moment later. */
  readonly busy: boolean;
  /**
   * For each destination that was open, or for which a message was deferred, whether messages wait for it
   * now.
   */
  readonly destinations: ReadonlyMap<string, boolean>;
}

/** The result of a settlement. */
export type Settled =
  /** Another engine holds the message now, or the message is gone: nothing was recorded. */
  | { readonly kind: "stale" }
  | { readonly kind: "recorded" }
  /** Another attempt follows. */
  | { readonly kind: "retrying"; readonly failure: Failure; readonly dueAt: number; readonly attempt: number }
  /** The message has failed permanently: also when a delivery succeeded, but its run has stalled. */
  | { readonly kind: "failed"; readonly failure: Failure; readonly dlqId: string | undefined };
