import type { Store } from "../commands/store.ts";
import type { Clock } from "../rules/clock.ts";
import type { Observer } from "../rules/event.ts";
import type { InlineLimits } from "../rules/inline-records.ts";
import type { Retention } from "../rules/retention.ts";
import type { Signer } from "./signer.ts";
import type { Transport } from "./transport.ts";

/** The objects that a dispatcher uses, and its limits. */
export interface DispatcherOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly transport: Transport;
  readonly signer: Signer;
  readonly emit: Observer;
  /** Maximum number of deliveries in flight to all destinations. */
  readonly concurrency: number;
  /** Maximum number of calls in flight beside the deliveries; calls above it count as deliveries. */
  readonly calls: number;
  /** Maximum number of deliveries and calls in flight together. */
  readonly parallelism: number;
  /** Maximum number of retries that an endpoint may ask for in its answers. */
  readonly mostRetries: number;
  /** Limits of the records in the answers of endpoints that run inline. */
  readonly inline: InlineLimits;
  /** Maximum bytes of an answer that may hold such records. */
  readonly inlineBytes: number;
  /** Timeout in milliseconds for an attempt at a run's message that sets none. */
  readonly timeout: number;
  /** Timeout in milliseconds for an attempt at a plain message that sets none. */
  readonly messageTimeout: number;
  /** Milliseconds after which another engine may claim a delivery whose engine no longer renews its lease. */
  readonly lease: number;
  /** Bytes above which the endpoint must fetch a history itself. */
  readonly historyBytes: number;
  /** Maximum bytes of a third party's answer to a call. */
  readonly callBytes: number;
  /** Maximum bytes of an answer to a call whose record the engine accepts from an endpoint. */
  readonly recordableBytes: number;
  /**
   * Maximum bytes of large bodies in memory: answers to calls, and the bodies that deliveries of calls and
   * answers carry.
   */
  readonly bodyBytes: number;
  /** The region that deliveries name as their origin. */
  readonly region: string | undefined;
  /** Milliseconds between clean-ups. */
  readonly sweep: number;
  readonly retention: Retention;
  /** Called with the keys of runs that a clean-up has deleted. */
  readonly onRunsDeleted?: (keys: readonly number[]) => void;
}
