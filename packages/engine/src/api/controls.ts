import { flows as flowRoutes } from "../http/flows.ts";
import { queues as queueRoutes } from "../http/queues.ts";
import { checkOptions } from "../rules/check-options.ts";
import type { Answer } from "./answer.ts";
import type { Caller } from "./caller.ts";

const QUEUE = queueRoutes["/v2/queues/:queue"];
const FLOW = flowRoutes["/v2/flowControl/:key"];

/** A queue. */
export type QueueInfo = Answer<typeof QUEUE.GET>;

/** A flow control key with its limits and counts. */
export type FlowInfo = Answer<typeof FLOW.GET>;

/**
 * The settings of a queue. Absent options keep their values; a new queue has a parallelism of 1 and isn't
 * paused.
 */
export interface QueueOptions {
  /** The most deliveries in progress at once. */
  readonly parallelism?: number;
  /** True to begin no more deliveries. */
  readonly paused?: boolean;
}

/** Queues, by name. */
export interface QueuesApi {
  /**
   * Lists all queues, by name.
   *
   * @example
   * ```ts
   * const names = (await engine.queues.list()).map(({ name }) => name);
   * ```
   */
  list(): Promise<readonly QueueInfo[]>;
  /**
   * Gets a queue.
   *
   * @throws EngineError `not_found`
   * @example
   * ```ts
   * const { lag, paused } = await engine.queues.get("mails");
   * ```
   */
  get(name: string): Promise<QueueInfo>;
  /**
   * Creates or changes a queue.
   *
   * @throws EngineError `limit_reached` for too many queues, or too much parallelism
   * @example
   * ```ts
   * await engine.queues.upsert("mails", { parallelism: 5 });
   * ```
   */
  upsert(name: string, options?: QueueOptions): Promise<void>;
  /**
   * Pauses a queue: the engine begins no more deliveries of its messages.
   *
   * @throws EngineError `not_found`
   * @example
   * ```ts
   * await engine.queues.pause("mails");
   * ```
   */
  pause(name: string): Promise<void>;
  /**
   * Resumes a queue.
   *
   * @throws EngineError `not_found`
   * @example
   * ```ts
   * await engine.queues.resume("mails");
   * ```
   */
  resume(name: string): Promise<void>;
  /**
   * Deletes a queue, if it exists, and cancels the messages that wait in it.
   *
   * @example
   * ```ts
   * await engine.queues.delete("mails");
   * ```
   */
  delete(name: string): Promise<void>;
}

/** The limits that messages can't change. */
export interface PinOptions {
  /** The most deliveries in progress at once. */
  readonly parallelism?: number;
  /** The most deliveries that begin within a period. */
  readonly rate?: number;
  /** The length of a period, in seconds. */
  readonly period?: number;
}

/** The limits that messages can change again. */
export interface UnpinOptions {
  /** Unpins the number of deliveries at once. */
  readonly parallelism?: boolean;
  /** Unpins the rate and its period. */
  readonly rate?: boolean;
}

/** Flow control, by key. The first message with a key creates it, and so does a pause or a pin. */
export interface FlowsApi {
  /**
   * Lists all flow control keys, or the keys that contain a string.
   *
   * @example
   * ```ts
   * const flows = await engine.flows.list({ search: "tenant-" });
   * ```
   */
  list(options?: { readonly search?: string }): Promise<readonly FlowInfo[]>;
  /**
   * Gets a flow control key. `$` stands for all messages without a key.
   *
   * @throws EngineError `not_found`
   * @example
   * ```ts
   * const { waitListSize, parallelismCount } = await engine.flows.get("tenant-7");
   * ```
   */
  get(key: string): Promise<FlowInfo>;
  /**
   * Pauses a key: the engine begins no more deliveries of its messages.
   *
   * @example
   * ```ts
   * await engine.flows.pause("tenant-7");
   * ```
   */
  pause(key: string): Promise<void>;
  /**
   * Resumes a key.
   *
   * @throws EngineError `not_found`
   * @example
   * ```ts
   * await engine.flows.resume("tenant-7");
   * ```
   */
  resume(key: string): Promise<void>;
  /**
   * Pins limits, so that messages can't change them.
   *
   * @example
   * ```ts
   * await engine.flows.pin("tenant-7", { rate: 10, period: 60 });
   * ```
   */
  pin(key: string, limits: PinOptions): Promise<void>;
  /**
   * Unpins limits, so that messages can change them again.
   *
   * @throws EngineError `not_found`
   * @example
   * ```ts
   * await engine.flows.unpin("tenant-7", { rate: true });
   * ```
   */
  unpin(key: string, limits: UnpinOptions): Promise<void>;
  /**
   * Begins a new period of the rate now, with a count of 0.
   *
   * @throws EngineError `not_found`
   * @example
   * ```ts
   * await engine.flows.resetRate("tenant-7");
   * ```
   */
  resetRate(key: string): Promise<void>;
  /**
   * Gets the number of deliveries in progress, and its limit.
   *
   * @example
   * ```ts
   * const { parallelismCount, parallelismMax } = await engine.flows.parallelism();
   * ```
   */
  parallelism(): Promise<{ readonly parallelismMax: number; readonly parallelismCount: number }>;
}

export function createQueuesApi({ call }: Caller): QueuesApi {
  const { GET, POST } = queueRoutes["/v2/queues"];
  return {
    list: () => call(GET),
    get: (queue) => call(QUEUE.GET, { params: { queue } }),
    async upsert(queueName, options = {}) {
      checkOptions<QueueOptions, "parallelism paused">("queues.upsert", options, "parallelism paused");
      await call(POST, { body: { ...options, queueName } });
    },
    async pause(queue) {
      await call(queueRoutes["/v2/queues/:queue/pause"].POST, { params: { queue } });
    },
    async resume(queue) {
      await call(queueRoutes["/v2/queues/:queue/resume"].POST, { params: { queue } });
    },
    async delete(queue) {
      await call(QUEUE.DELETE, { params: { queue } });
    },
  };
}

export function createFlowsApi({ call }: Caller): FlowsApi {
  return {
    list: (options = {}) => call(flowRoutes["/v2/flowControl"].GET, { query: options }),
    get: (key) => call(FLOW.GET, { params: { key } }),
    async pause(key) {
      await call(flowRoutes["/v2/flowControl/:key/pause"].POST, { params: { key } });
    },
    async resume(key) {
      await call(flowRoutes["/v2/flowControl/:key/resume"].POST, { params: { key } });
    },
    async pin(key, limits) {
      await call(flowRoutes["/v2/flowControl/:key/pin"].POST, { params: { key }, query: limits });
    },
    async unpin(key, limits) {
      await call(flowRoutes["/v2/flowControl/:key/unpin"].POST, { params: { key }, query: limits });
    },
    async resetRate(key) {
      await call(flowRoutes["/v2/flowControl/:key/resetRate"].POST, { params: { key } });
    },
    parallelism: () => call(flowRoutes["/v2/globalParallelism"].GET),
  };
}
