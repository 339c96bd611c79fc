import type { FlowChange, FlowControl } from "../rules/flow-control.ts";
import type { Queue, QueueChange, QueueLimits } from "../rules/queue.ts";
import type { NewSchedule, Schedule } from "../rules/schedule.ts";

/** What a store keeps of that which says when messages are delivered, beside what they say themselves. */
export interface Controls {
  readonly queues: Queues;
  readonly schedules: Schedules;
  readonly flows: Flows;
}

/**
 * Queues. A message of a queue is given out only when it is its turn; from then on it keeps its place until it and its
 * callbacks are at their ends.
 */
export interface Queues {
  /** By name. */
  list(): Promise<Queue[]>;

  get(name: string): Promise<Queue | undefined>;

  /**
   * Makes a queue, or changes one.
   *
   * @throws EngineError `limit_reached` when it would be one too many
   */
  put(change: QueueChange, limits: Pick<QueueLimits, "queues">): Promise<void>;

  /** No attempt begins while it is paused. @returns false when there is no such queue */
  pause(name: string, paused: boolean): Promise<boolean>;

  /** Cancels what isn't being delivered at this moment; what is goes on without a queue. */
  delete(name: string): Promise<void>;
}

/** Schedules. What they make is stored by {@link Store.claim}, in the same transaction as the time of what comes next. */
export interface Schedules {
  /** The oldest first. */
  list(): Promise<Schedule[]>;

  get(id: string): Promise<Schedule | undefined>;

  /**
   * Makes a schedule, and its queue. One of the same id is replaced: it stays as old, and as paused, as it was.
   *
   * @throws EngineError `limit_reached` when it would be one too many
   */
  put(schedule: NewSchedule, limits: ScheduleLimits): Promise<void>;

  /** Ticks are skipped while it is paused. @returns false when there is no such schedule */
  pause(id: string, paused: boolean): Promise<boolean>;

  /** What it has made goes on. */
  delete(id: string): Promise<void>;
}

export interface ScheduleLimits extends Pick<QueueLimits, "queues"> {
  /** Schedules that there may be. */
  readonly schedules: number;
}

/** Flow control. Keys come into being with the first message that has one. */
export interface Flows {
  /** By key: those that hold `search`. */
  list(search: string | undefined): Promise<FlowControl[]>;

  get(key: string): Promise<FlowControl | undefined>;

  /** Messages without a key that wait for nothing but room. Of many, only the first are looked at. */
  waitingForRoom(): Promise<RoomWaiters>;

  /** A pause or a pin makes a key that isn't there yet. @returns false when there is none, and nothing changed */
  change(key: string, change: FlowChange): Promise<boolean>;
}

/** Numbers of messages, 10 000 each at most. */
export interface RoomWaiters {
  /** Due, but not begun. */
  readonly due: number;
  /** Set aside, because their destination has no room. */
  readonly aside: number;
}
