import type { MessageState } from "./message.ts";

/** The status of a message that isn't finished. */
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

/** An event that changes a message's status. */
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

interface Transition {
  readonly from: readonly DueStatus[];
  readonly to: DueStatus;
}

/** The one place that says what can happen to a message. Statements get their statuses from here, too. */
const TRANSITIONS: Readonly<Record<MessageEvent, Transition>> = {
  claim: { from: ["scheduled", "retrying", "ready", "delivering"], to: "delivering" },
  release: { from: ["delivering", "deferred", "ready"], to: "scheduled" },
  retry: { from: ["delivering"], to: "retrying" },
  enqueue: { from: ["scheduled", "retrying", "throttled", "ready", "queued"], to: "queued" },
  dequeue: { from: ["queued"], to: "scheduled" },
  throttle: { from: ["scheduled", "retrying", "ready"], to: "throttled" },
  unthrottle: { from: ["throttled"], to: "scheduled" },
  defer: { from: ["scheduled", "retrying", "ready"], to: "deferred" },
  undefer: { from: ["deferred"], to: "ready" },
  withdraw: { from: ["delivering"], to: "withdrawn" },
};

export const MESSAGE_EVENTS = Object.keys(TRANSITIONS) as readonly MessageEvent[];

/** The status after an event, of a message that hasn't failed. */
export function statusAfter(event: MessageEvent): DueStatus {
  return TRANSITIONS[event].to;
}

/**
 * The status of a message after an event. A message that has failed before is `retrying` wherever a new one is
 * `scheduled`.
 *
 * @param status `null` at the message's end
 * @param retried failed attempts, this event's among them
 * @throws TypeError when the event can't happen in that status
 */
export function transition(status: DueStatus | null, event: MessageEvent, retried: number): DueStatus {
  const { from, to } = TRANSITIONS[event];
  if (status === null || !from.includes(status)) {
    throw new TypeError(`A message that is ${status ?? "at its end"} can't have the event "${event}".`);
  }
  return to === "scheduled" && retried > 0 ? "retrying" : to;
}

/** A message's state as clients know it, while it isn't at its end. */
export function stateOf(status: DueStatus | null, retried: number): MessageState {
  if (status === "delivering") return "ACTIVE";
  return retried > 0 ? "RETRY" : "CREATED";
}
