import type { Store } from "../commands/store.ts";
import type { ShownFlows } from "../delivery/global-flow.ts";
import type { Keys } from "../delivery/keys.ts";
import type { Clock } from "../rules/clock.ts";
import type { Observer } from "../rules/event.ts";
import type { OptionLimits } from "../rules/options.ts";
import type { QueueLimits } from "../rules/queue.ts";
import type { Retention } from "../rules/retention.ts";
import type { ScheduleLimits } from "../rules/schedule.ts";
import type { UrlGroupLimits } from "../rules/url-group.ts";
import type { WebhookLimits } from "../store/waits.ts";
import type { RunEnds } from "../watch/run-ends.ts";
import type { BodyBudget } from "./body.ts";

/** The objects that the API uses. */
export interface Service {
  readonly store: Store;
  readonly clock: Clock;
  readonly emit: Observer;
  readonly tokens: Tokens;
  readonly keys: Keys;
  /** Whether a proxy's word is taken for the address that a request was sent to. */
  readonly trustProxy: boolean;
  readonly retention: Pick<Retention, "messages">;
  readonly limits: OptionLimits & {
    /** Bytes of a request. */
    readonly requestBytes: number;
    /** Bytes of a request to a webhook. */
    readonly webhookBytes: number;
    /** Requests that are kept for each webhook until its run waits for them. */
    readonly webhookKept: WebhookLimits;
    /** Items of a batch, and messages that they become. */
    readonly batchItems: number;
    /** Requests in a second, but for those that publish or go on with a run. Any number by default. */
    readonly requestsPerSecond?: number | undefined;
    /** Requests in a day of UTC. Any number by default. */
    readonly requestsPerDay?: number | undefined;
  } & QueueLimits &
    ScheduleLimits &
    UrlGroupLimits;
  /** Limits the bodies of all requests together. */
  readonly bodies: BodyBudget;
  /** Flow control keys as they are shown. */
  readonly flows: ShownFlows;
  /** Waits for the ends of runs. */
  readonly runEnds: RunEnds;
  /** Deliveries under way, and how many there may be. */
  readonly parallelism: () => { readonly max: number; readonly count: number };
}

/** The tokens that clients send. */
export interface Tokens {
  /** With these everything is allowed. */
  readonly full: readonly string[];
  /** With these one may look at everything but the signing keys. */
  readonly readOnly: readonly string[];
}

/** The connection's properties of a request. */
export interface Bindings {
  /** The address it came from. */
  readonly callerIp?: string | undefined;
  /** Its path and query as they were sent: in its URL, dots and braces of a path are tidied up. */
  readonly target?: string | undefined;
}

/** The environment of every handler. */
export interface Env {
  readonly Bindings: Bindings;
}
