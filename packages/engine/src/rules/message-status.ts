import type { MessageState } from "./message.ts";

/** What a message waits for, or what is being done for it. A message at its end has none. */
export type DueStatus =
  /** Its first attempt begins at a time. */
  | "scheduled"
  /** Its next attempt begins at a time. */
  | "retrying"
  /** It waits for its turn in a queue, or for the queue to be resumed. */
  | "queued"
  /** It waits for its flow control key to admit it. */
  | "throttled"
  /** Its key and its queue have admitted it; it waits for room at its destination. */
  | "deferred"
  /** There is room for it now: the next claim takes it. */
  | "ready"
  /** An engine delivers it, under a lease. */
  | "delivering"
  /** It has been cancelled with its run, but its delivery may be under way until its lease ends. */
  | "withdrawn";

/** How a message ends. */
export type Outcome = Extract<MessageState, "DELIVERED" | "FAILED" | "CANCELLED">;

/** What can happen to a message. */
export type MessageEvent =
  /** An engine takes it, for a new attempt or because the lease of the last one has run out. */
  | "claim"
  /** An engine gives it back without having tried. */
  | "release"
  /** An attempt failed, and another one follows. */
  | "retry"
  /** Its queue is paused, or has taken its place back. */
  | "enqueue"
  /** Its queue lets it go. */
  | "dequeue"
  | "throttle"
  | "unthrottle"
  /** Its destination has no room. */
  | "defer"
  /** Its destination has room again. */
  | "undefer"
  /** Its run has ended while it was being delivered. */
  | "withdraw";

const TRANSITIONS: Record<MessageEvent, { readonly from: readonly DueStatus[]; readonly to: DueStatus }> = {
  claim: { from: ["scheduled", "retrying", "ready", "delivering"], to: "delivering" },
  release: { from: ["delivering", "deferred", "ready"], to: "scheduled" },
  retry: { from: ["delivering"], to: "retrying" },
  enqueue: { from: ["scheduled", "retrying", "throttled", "ready"], to: "queued" },
  dequeue: { from: ["queued"], to: "scheduled" },
  throttle: { from: ["scheduled", "retrying", "ready"], to: "throttled" },
  unthrottle: { from: ["throttled"], to: "scheduled" },
  defer: { from: ["scheduled", "retrying", "ready"], to: "deferred" },
  undefer: { from: ["deferred"], to: "ready" },
  withdraw: { from: ["delivering"], to: "withdrawn" },
};

/**
 * The status of a message after an event. One that has failed before is `retrying` wherever a new one is `scheduled`.
 *
 * @returns `undefined` when the event can't happen in that status
 */
export function transition(status: DueStatus, event: MessageEvent, retried: number): DueStatus | undefined {
  const { from, to } = TRANSITIONS[event];
  if (!from.includes(status)) return undefined;
  return to === "scheduled" && retried > 0 ? "retrying" : to;
}

/** A message's state as clients know it, while it isn't at its end. */
export function stateOf(status: DueStatus | null, retried: number): MessageState {
  if (status === "delivering") return "ACTIVE";
  return retried > 0 ? "RETRY" : "CREATED";
}
