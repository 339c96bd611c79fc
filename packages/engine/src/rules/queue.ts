import { overLimit } from "./engine-error.ts";
import { toName } from "./name.ts";

/** A queue: its messages begin one after the other, in the order in which they were accepted. */
export interface Queue {
  readonly name: string;
  /** Messages in progress at once. */
  readonly parallelism: number;
  readonly paused: boolean;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
  readonly updatedAt: number;
  /** Messages that haven't ended. */
  readonly lag: number;
}

/**
 * A change of a queue. An option that isn't set keeps its value; a new queue has a parallelism of 1 and isn't
 * paused.
 */
export interface QueueChange {
  readonly name: string;
  readonly parallelism: number | undefined;
  readonly paused: boolean | undefined;
}

export interface QueueLimits {
  /** The most queues that may exist. */
  readonly queues: number;
  /** Messages of a queue in progress at once. */
  readonly queueParallelism: number;
}

/** The parallelism of a queue that its first message creates. */
export const DEFAULT_PARALLELISM = 1;

/**
 * The number of waiting messages that may begin. A message keeps its place from its turn until it and its
 * callbacks have ended: while it waits for another attempt, or for its time, no other message overtakes it.
 *
 * @param taken the number of places that messages keep now
 */
export function freePlaces(
  { parallelism, paused }: Pick<Queue, "parallelism" | "paused">,
  taken: number,
): number {
  return paused ? 0 : Math.max(0, parallelism - taken);
}

/** @throws EngineError `invalid_request` that names the field; `limit_reached` above the limit */
export function toQueueChange(
  { queueName, parallelism, paused }: QueueBody,
  { queueParallelism: most }: QueueLimits,
): QueueChange {
  if (parallelism && parallelism > most) {
    throw overLimit("parallelism", parallelism, most);
  }
  return {
    name: toName(queueName, "queueName"),
    parallelism: parallelism ?? undefined,
    paused: paused ?? undefined,
  };
}

/** A queue as a request sets it. */
interface QueueBody {
  readonly queueName: string;
  readonly parallelism?: number | null | undefined;
  readonly paused?: boolean | null | undefined;
}
