import type { Store } from "../commands/store.ts";
import type { ShownFlows } from "../delivery/global-flow.ts";
import type { Keys } from "../delivery/keys.ts";
import type { MemoryBudget } from "../delivery/memory-budget.ts";
import type { Clock } from "../rules/clock.ts";
import type { Observer } from "../rules/event.ts";
import type { OptionLimits } from "../rules/options.ts";
import type { QueueLimits } from "../rules/queue.ts";
import type { Retention } from "../rules/retention.ts";
import type { ScheduleLimits } from "../rules/schedule.ts";
import type { UrlGroupLimits } from "../rules/url-group.ts";
import type { WebhookLimits } from "../store/waits.ts";
import type { AttemptCounts } from "../watch/attempt-counts.ts";
import type { EventStreams } from "../watch/event-streams.ts";
import type { RunEnds } from "../watch/run-ends.ts";
import type { SearchIndexer } from "../watch/search-indexer.ts";
import type { BodyBudget } from "./body.ts";

/** The objects that the API uses. */
export interface Service {
  readonly store: Store;
  readonly clock: Clock;
  readonly emit: Observer;
  readonly tokens: Tokens;
  readonly keys: Keys;
  /** True when the engine trusts a proxy's headers for the URL that a client sent a request to. */
  readonly trustProxy: boolean;
  /** True when read-only tokens see no payloads, results, bodies, headers and texts of errors. */
  readonly hidePayloads: boolean;
  readonly retention: Pick<Retention, "messages">;
  readonly limits: OptionLimits & {
    /** The largest body of a request, in bytes. */
    readonly requestBytes: number;
    /** The largest body of a request to a webhook, in bytes. */
    readonly webhookBytes: number;
    /** The requests that the engine keeps for each webhook until its run waits for them. */
    readonly webhookKept: WebhookLimits;
    /** The most items of a batch, and the most messages that result from them. */
    readonly batchItems: number;
    /**
     * The most requests per second. Requests that publish or that continue a run don't count. No limit by
     * default.
     */
    readonly requestsPerSecond?: number | undefined;
    /** The most requests per day in UTC. No limit by default. */
    readonly requestsPerDay?: number | undefined;
  } & QueueLimits &
    ScheduleLimits &
    UrlGroupLimits;
  /** Limits the bodies of all requests together. */
  readonly bodies: BodyBudget;
  /** Limits the large bodies in the histories that clients fetch. */
  readonly histories: MemoryBudget;
  /** The flow control keys that the API shows. */
  readonly flows: ShownFlows;
  /** The clients that wait for a run to end. */
  readonly runEnds: RunEnds;
  readonly streams: EventStreams;
  readonly search: SearchIndexer;
  /** The attempts of this engine in the last day. */
  readonly attempts: AttemptCounts;
  /** The number of deliveries in progress, and its limit. */
  readonly parallelism: () => { readonly max: number; readonly count: number };
}

/** The tokens that clients send. */
export interface Tokens {
  /** Tokens that allow every request. */
  readonly full: readonly string[];
  /** Tokens that allow a client to read everything but the signing keys. */
  readonly readOnly: readonly string[];
}

/** Properties of a request that only the connection knows. */
export interface Bindings {
  /** The client's address. */
  readonly callerIp?: string | undefined;
  /** Path and query as the client sent them. `Request` normalizes dots and braces in the path of its URL. */
  readonly target?: string | undefined;
}

/** The environment of every handler. */
export interface Env {
  readonly Bindings: Bindings;
  /** The sender of a request with a token. Open routes have none. */
  readonly Variables: { readonly sender?: Sender };
}

/** The access that a token grants. */
export type Access = "full" | "read only";

/** The sender of a request, by its token. */
export interface Sender {
  readonly access: Access;
  /** The name by which the audit log knows the token: it reveals nothing of the token. */
  readonly name: string;
}
