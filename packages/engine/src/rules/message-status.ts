import type { MessageState } from "./message.ts";

/**
 * Every status of a message that isn't at its end. Statements get their words from here, so that tsc checks
 * them.
 */
export const STATUS = {
  /** Its first attempt begins at a time. */
  scheduled: "scheduled",
  /** Its next attempt begins at a time. */
  retrying: "retrying",
  /** It waits for its turn in a queue, or for the queue to be resumed. */
  queued: "queued",
  /** It waits for its flow control key to admit it. */
  throttled: "throttled",
  /** Its key and its queue have admitted it; it waits for room at its destination. */
  deferred: "deferred",
  /** Its destination has room for it: the next claim takes it. */
  ready: "ready",
  /** An engine delivers it, under a lease. */
  delivering: "delivering",
  /** Its run has ended, but its delivery may be in progress until its lease ends. */
  withdrawn: "withdrawn",
} as const;

export type DueStatus = keyof typeof STATUS;

/** The statuses of a message that its queue, its flow control key or its destination holds back. */
export const HELD: readonly DueStatus[] = ["queued", "throttled", "deferred"];

/** The statuses in which a message counts toward the parallelism of its flow control key. */
export const ADMITTED: readonly DueStatus[] = ["delivering", "deferred", "ready"];

/** The statuses in which a message gives its place in a queue back, unless an attempt has begun. */
export const BEFORE_ADMISSION: readonly DueStatus[] = ["scheduled", "throttled", "queued"];

/** The end of a message. */
export type Outcome = Extract<MessageState, "DELIVERED" | "FAILED" | "CANCELLED">;

/** The outcomes of a message that its destination hasn't taken. */
export const UNDELIVERED: readonly Outcome[] = ["FAILED", "CANCELLED"];

/** An event that changes a message's status. */
export type MessageEvent =
  /** An engine takes it, for a new attempt or because the last attempt's lease has run out. */
  | "claim"
  /** An engine gives it back without an attempt. */
  | "release"
  /** An attempt failed, and another one follows. */
  | "retry"
  /** Its queue is paused, or has taken its place back. */
  | "enqueue"
  /** Its queue gives it a place. */
  | "dequeue"
  /** Its flow control key has no room. */
  | "throttle"
  /** Its flow control key has room again. */
  | "unthrottle"
  /** Its destination has no room. */
  | "defer"
  /** Its destination has room again. */
  | "undefer"
  /** Its run ended while an engine delivered it. */
  | "withdraw";

interface Transition {
  readonly from: readonly DueStatus[];
  readonly to: DueStatus;
}

/** The whole of the diagram in ARCHITECTURE.md: which event changes which status to which. */
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

/** The status of a new message. @param queued whether it waits for its turn in a queue */
export function initialStatus(queued: boolean): DueStatus {
  return queued ? "queued" : "scheduled";
}

/** The status of a message after an event, when no attempt has failed before. */
export function statusAfter(event: MessageEvent): DueStatus {
  return TRANSITIONS[event].to;
}

/**
 * The status of a message after an event. After a failed attempt a message is `retrying` where a new one is
 * `scheduled`.
 *
 * @param status `null` at the message's end
 * @param retried failed attempts, including the attempt that this event is about
 * @throws TypeError when the event can't happen in that status
 */
export function transition(status: DueStatus | null, event: MessageEvent, retried: number): DueStatus {
  const { from, to } = TRANSITIONS[event];
  if (status === null || !from.includes(status)) {
    throw new TypeError(`A message that is ${status ?? "at its end"} can't have the event "${event}".`);
  }
  return to === "scheduled" && retried > 0 ? "retrying" : to;
}

/** The state that clients see of a message that isn't at its end. */
export function stateOf(status: DueStatus | null, retried: number): MessageState {
  if (status === "delivering") return "ACTIVE";
  return retried > 0 ? "RETRY" : "CREATED";
}
