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
  /** Deliveries under way at once, to all destinations. */
  readonly concurrency: number;
  /** Calls under way at once, beside the deliveries; those above count as deliveries. */
  readonly calls: number;
  /** Deliveries and calls under way at once, all together. */
  readonly parallelism: number;
  /** Retries that an endpoint may ask for in its answers. */
  readonly mostRetries: number;
  /** Limits of the records in the answers of endpoints that run inline. */
  readonly inline: InlineLimits;
  /** Bytes of an answer that may hold such records. */
  readonly inlineBytes: number;
  /** Milliseconds for an attempt at what belongs to a run, where its message doesn't say. */
  readonly timeout: number;
  /** Milliseconds for an attempt at a plain message that doesn't say. */
  readonly messageTimeout: number;
  /** Milliseconds after which a delivery that nobody cares for is anybody's. */
  readonly lease: number;
  /** Bytes above which a history is left to be fetched. */
  readonly historyBytes: number;
  /** Bytes of a third party's answer to a call. */
  readonly callBytes: number;
  /** Bytes of an answer to a call up to which the engine accepts the record that an endpoint makes of it. */
  readonly recordableBytes: number;
  /** Bytes of large bodies that are in memory at once: of answers to calls, and of what calls and answers deliver. */
  readonly bodyBytes: number;
  /** The region that deliveries are said to come from. */
  readonly region: string | undefined;
  /** Milliseconds between clean-ups. */
  readonly sweep: number;
  readonly retention: Retention;
}
