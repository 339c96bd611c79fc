import { checkOptions } from "@perdure/core/protocol";
import { flows as flowRoutes } from "../http/flows.ts";
import { queues as queueRoutes } from "../http/queues.ts";
import type { Answer } from "./answer.ts";
import type { Caller } from "./caller.ts";

const QUEUE = queueRoutes["/v2/queues/:queue"];
const FLOW = flowRoutes["/v2/flowControl/:key"];

/** A queue. */
export type QueueInfo = Answer<typeof QUEUE.GET>;

/** A flow control key with its limits and counts. */
export type FlowInfo = Answer<typeof FLOW.GET>;

/** A queue as it is to be. Options that aren't given stay, or are 1 and not paused for a new queue. */
export interface QueueOptions {
  /** Messages on their way at once. */
  readonly parallelism?: number;
  /** Whether no more messages begin. */
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
   * Makes a queue, or changes it.
   *
   * @throws EngineError `limit_reached` for one queue too many, or too much parallelism
   * @example
   * ```ts
   * await engine.queues.upsert("mails", { parallelism: 5 });
   * ```
   */
  upsert(name: string, options?: QueueOptions): Promise<void>;
  /**
   * Begins no more messages of a queue.
   *
   * @throws EngineError `not_found`
   * @example
   * ```ts
   * await engine.queues.pause("mails");
   * ```
   */
  pause(name: string): Promise<void>;
  /**
   * Goes on with a queue.
   *
   * @throws EngineError `not_found`
   * @example
   * ```ts
   * await engine.queues.resume("mails");
   * ```
   */
  resume(name: string): Promise<void>;
  /**
   * Deletes a queue, if there is one, and cancels the messages that wait in it.
   *
   * @example
   * ```ts
   * await engine.queues.delete("mails");
   * ```
   */
  delete(name: string): Promise<void>;
}

/** Limits that messages don't change. */
export interface PinOptions {
  /** Deliveries at once. */
  readonly parallelism?: number;
  /** Deliveries that begin within a period. */
  readonly rate?: number;
  /** Seconds. */
  readonly period?: number;
}

/** The limits that messages may change again. */
export interface UnpinOptions {
  /** Also the number of deliveries at once. */
  readonly parallelism?: boolean;
  /** Also the rate and its period. */
  readonly rate?: boolean;
}

/** Flow control, by key. A key comes into being with the first message that has it, or by a pause or a pin. */
export interface FlowsApi {
  /**
   * Lists flow control keys, all or those that contain a string.
   *
   * @example
   * ```ts
   * const flows = await engine.flows.list({ search: "tenant-" });
   * ```
   */
  list(options?: { readonly search?: string }): Promise<readonly FlowInfo[]>;
  /**
   * Gets a flow control key. `$` stands for all messages that have none.
   *
   * @throws EngineError `not_found`
   * @example
   * ```ts
   * const { waitListSize, parallelismCount } = await engine.flows.get("tenant-7");
   * ```
   */
  get(key: string): Promise<FlowInfo>;
  /**
   * Begins no more messages with a key.
   *
   * @example
   * ```ts
   * await engine.flows.pause("tenant-7");
   * ```
   */
  pause(key: string): Promise<void>;
  /**
   * Goes on with a key.
   *
   * @throws EngineError `not_found`
   * @example
   * ```ts
   * await engine.flows.resume("tenant-7");
   * ```
   */
  resume(key: string): Promise<void>;
  /**
   * Sets limits that messages don't change.
   *
   * @example
   * ```ts
   * await engine.flows.pin("tenant-7", { rate: 10, period: 60 });
   * ```
   */
  pin(key: string, limits: PinOptions): Promise<void>;
  /**
   * Lets messages change limits again.
   *
   * @throws EngineError `not_found`
   * @example
   * ```ts
   * await engine.flows.unpin("tenant-7", { rate: true });
   * ```
   */
  unpin(key: string, limits: UnpinOptions): Promise<void>;
  /**
   * Begins a new period now, in which nothing has begun.
   *
   * @throws EngineError `not_found`
   * @example
   * ```ts
   * await engine.flows.resetRate("tenant-7");
   * ```
   */
  resetRate(key: string): Promise<void>;
  /**
   * Gets how many deliveries are in progress, and how many may be.
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
    list: (options = {}) => call(flowRoutes["/v2/flowControl"].GET, { query: { ...options } }),
    get: (key) => call(FLOW.GET, { params: { key } }),
    async pause(key) {
      await call(flowRoutes["/v2/flowControl/:key/pause"].POST, { params: { key } });
    },
    async resume(key) {
      await call(flowRoutes["/v2/flowControl/:key/resume"].POST, { params: { key } });
    },
    async pin(key, limits) {
      await call(flowRoutes["/v2/flowControl/:key/pin"].POST, { params: { key }, query: { ...limits } });
    },
    async unpin(key, limits) {
      await call(flowRoutes["/v2/flowControl/:key/unpin"].POST, { params: { key }, query: { ...limits } });
    },
    async resetRate(key) {
      await call(flowRoutes["/v2/flowControl/:key/resetRate"].POST, { params: { key } });
    },
    parallelism: () => call(flowRoutes["/v2/globalParallelism"].GET),
  };
}
