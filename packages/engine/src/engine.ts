import { checkOptions } from "@perdure/core/protocol";
import { Dispatcher } from "./delivery/dispatcher.ts";
import { type Parallelism, withGlobalFlow } from "./delivery/global-flow.ts";
import { createKeys } from "./delivery/keys.ts";
import { createPolicy, type DestinationRules } from "./delivery/policy.ts";
import { createSigner, type SigningKeys } from "./delivery/signer.ts";
import { guarded, type Transport } from "./delivery/transport.ts";
import { poolTransport } from "./delivery/transport-pool.ts";
import { createApp } from "./http/app.ts";
import { BodyBudget } from "./http/body.ts";
import type { Bindings } from "./http/service.ts";
import { openSqlite } from "./open-sqlite.ts";
import type { Clock } from "./rules/clock.ts";
import type { Observer } from "./rules/event.ts";
import { checkNumbers, type Range } from "./rules/numbers.ts";
import { toRetention } from "./rules/retention.ts";
import type { Store } from "./store/store.ts";
import { systemClock } from "./system-clock.ts";

/** How an engine stores, signs and delivers. */
export interface EngineOptions {
  /** A store, or the path of a SQLite file (`:memory:` for none), which the engine then opens and closes. */
  readonly store: Store | string;
  /** What clients must show: one of these. */
  readonly token: string | readonly string[];
  /** What clients may show that only look: at everything but the signing keys. None by default. */
  readonly readOnlyTokens?: readonly string[];
  /** With what deliveries are signed, and are to be checked, until they are rotated. */
  readonly signingKeys: SigningKeys;
  /** The machine's by default. */
  readonly clock?: Clock;
  /** A pool of connections by default. One that is given isn't closed by the engine. */
  readonly transport?: Transport;
  /**
   * Where deliveries may go. Anywhere by default; when it is given, however empty: to addresses of the public internet,
   * and where its own entries say.
   */
  readonly destinations?: DestinationRules;
  /**
   * Deliveries under way at once. 4096 by default. A destination has 128 of them at most, fewer while its attempts time
   * out, and a quarter is kept for destinations with nothing under way: none that is slow or dead holds up the others.
   */
  readonly concurrency?: number;
  /** Calls to third parties under way at once, beside the deliveries, and shared like them. 4096 by default. */
  readonly calls?: number;
  /** How long things may take. */
  readonly timeouts?: {
    /** Milliseconds for an attempt at what belongs to a run, where nothing says otherwise. 15 minutes by default. */
    readonly delivery?: number;
    /** Milliseconds for an attempt at a plain message that doesn't say. 5 minutes by default, or `delivery` if less. */
    readonly message?: number;
    /** Milliseconds after which the delivery of a process that is gone is made again. 30 seconds by default. */
    readonly lease?: number;
  };
  /** How large and how many things may be. */
  readonly limits?: {
    /** Bytes of a request to the API. 10 MiB by default. */
    readonly requestBytes?: number;
    /**
     * Bytes of the bodies of all requests that are in memory at once; more are answered with 503. 256 MiB by default.
     * Beside them, large answers to calls and what calls and answers deliver have as much, 64 MiB at most: more wait.
     */
    readonly inFlightBytes?: number;
    /** Bytes of a request to a webhook. 1 MiB by default. */
    readonly webhookBytes?: number;
    /** Requests that are kept for a webhook until its run waits for them; more are answered with 429. 100 by default. */
    readonly webhookHits?: number;
    /** Bytes of these requests, as they are stored. 10 MiB by default. */
    readonly webhookHitBytes?: number;
    /** Items of a batch, and messages that they become where some go to URL groups. 1000 by default. */
    readonly batchItems?: number;
    /** Bytes of an endpoint's answer that are kept. 1 MiB by default. */
    readonly responseBytes?: number;
    /** Bytes of a third party's answer to a call; a larger one is none. 10 MiB by default. */
    readonly callBytes?: number;
    /** Bytes above which a history is left for the endpoint to fetch. 4 MiB by default. */
    readonly historyBytes?: number;
    /** Retries that a message may ask for. 999 by default. */
    readonly retries?: number;
    /** Requests to the API in a second, but for those that publish or that runs make. Any number by default. */
    readonly requestsPerSecond?: number;
    /** Requests to the API in a day of UTC. Any number by default. */
    readonly requestsPerDay?: number;
    /** Bytes of a message's body. 10 MiB by default. */
    readonly messageBytes?: number;
    /** Milliseconds until a message is to be delivered. Any by default. */
    readonly delay?: number;
    /** Milliseconds for an attempt: a message that asks for more, or for nothing, gets no more than this. Any by default. */
    readonly timeout?: number;
    /** Endpoints of a URL group. 100 by default. */
    readonly endpoints?: number;
    /** URL groups. 10 000 by default. */
    readonly urlGroups?: number;
    /** Deliveries and calls under way at once, all together. As many as `concurrency` and `calls` allow by default. */
    readonly parallelism?: number;
    /** Queues. 10 000 by default. */
    readonly queues?: number;
    /** Messages of a queue on their way at once. 1000 by default. */
    readonly queueParallelism?: number;
    /** Schedules. 10 000 by default. */
    readonly schedules?: number;
  };
  /** How long what is over can still be looked at. */
  readonly retention?: {
    /** Milliseconds for which a message is known again by its deduplication id or its content. 10 minutes by default. */
    readonly deduplication?: number;
    /** Milliseconds for a message that was delivered or has failed. One minute by default. */
    readonly messages?: number;
    /** Milliseconds for each entry of the log, and for a flow control key that nothing uses any more. 14 days by default. */
    readonly logs?: number;
    /** Milliseconds for a dead letter, with its message or run. 30 days by default. */
    readonly dlq?: number;
    /** Milliseconds for a run that has ended, unless its dead letter is kept for longer. 14 days by default. */
    readonly runs?: number;
  };
  /** Tells receivers with keys for several regions which ones to use: `EU-CENTRAL-1` or `US-EAST-1`. None by default. */
  readonly region?: string;
  /**
   * Whether `X-Forwarded-Proto` and `X-Forwarded-Host` say under which address a webhook was called: only behind a proxy
   * that sets them. Not by default.
   */
  readonly trustProxy?: boolean;
  /** Told what happens, after it has been stored. */
  readonly onEvent?: Observer;
}

/** An engine in this process. */
export interface Engine {
  /** The API. */
  fetch(request: Request, bindings?: Bindings): Promise<Response>;
  /** Begins to deliver. What is accepted before waits. */
  start(): void;
  /** Resolves when nothing is due now and nothing is being delivered. */
  idle(): Promise<void>;
  /** Lets what is under way come to its end, for `deadline` milliseconds at most (5000); delivers nothing more. */
  stop(options?: { readonly deadline?: number }): Promise<void>;
}

type Limits = NonNullable<EngineOptions["limits"]>;

export const MIB: number = 1024 * 1024;

/** Bytes of large bodies that are being delivered, or read of answers to calls, at once. */
const LARGE_BODIES = 64 * MIB;

const NUMBERS: Readonly<Record<"concurrency" | "calls", Range>> = {
  concurrency: "count",
  calls: "count or none",
};
const TIMEOUTS: Readonly<Record<keyof NonNullable<EngineOptions["timeouts"]>, Range>> = {
  delivery: "time",
  message: "time",
  lease: "time",
};
const LIMITS: Readonly<Record<keyof Limits, Range>> = {
  requestBytes: "count",
  inFlightBytes: "count",
  webhookBytes: "count or none",
  webhookHits: "count or none",
  webhookHitBytes: "count or none",
  batchItems: "count",
  responseBytes: "count or none",
  callBytes: "count or none",
  historyBytes: "count or none",
  retries: "count or none",
  requestsPerSecond: "count",
  requestsPerDay: "count",
  messageBytes: "count or none",
  delay: "time or none",
  timeout: "time",
  endpoints: "count",
  urlGroups: "count or none",
  parallelism: "count",
  queues: "count or none",
  queueParallelism: "count",
  schedules: "count or none",
};

/**
 * @throws StoreUnavailable when the database can't be opened
 * @throws TypeError for an unknown option, a destination rule that is none, or a number that can't be
 */
export function createEngine(options: EngineOptions): Engine {
  return openEngine(options, createBodyBudget(options.limits));
}

/** What engines that share a process share of its memory. */
export function createBodyBudget({ inFlightBytes = 256 * MIB, requestBytes = 0 }: Limits = {}): BodyBudget {
  return new BodyBudget(Math.max(inFlightBytes, requestBytes));
}

/** As {@link createEngine}, for an engine that isn't the only one. @param bodies of all of them */
export function openEngine(options: EngineOptions, bodies: BodyBudget): Engine {
  const { clock = systemClock, limits = {}, timeouts = {}, token } = options;
  checkOptions(
    "createEngine",
    options,
    "store token readOnlyTokens signingKeys clock transport destinations concurrency calls timeouts limits retention region trustProxy onEvent",
  );
  const { concurrency = 4096, calls = 4096 } = options;
  const { delivery = 15 * 60_000, message = Math.min(delivery, 5 * 60_000) } = timeouts;
  const longest = limits.timeout ?? Number.POSITIVE_INFINITY;
  checkNumbers({ concurrency, calls }, NUMBERS, "");
  checkNumbers(timeouts, TIMEOUTS, "timeouts.");
  checkNumbers(limits, LIMITS, "limits.");
  const policy = options.destinations && createPolicy(options.destinations);
  const retention = toRetention(options.retention);
  const emit = toObserver(options.onEvent);
  const store =
    typeof options.store === "string" ? openSqlite(options.store, { now: () => clock.now() }) : options.store;
  const transport = options.transport ?? poolTransport({ maxBytes: limits.responseBytes ?? MIB, policy });
  const keys = createKeys(store, options.signingKeys);
  const parallelism = Math.min(limits.parallelism ?? Number.POSITIVE_INFINITY, concurrency + calls);
  const retries = limits.retries ?? 999;
  const dispatcher = new Dispatcher({
    store,
    clock,
    transport: policy ? guarded(transport, policy) : transport,
    signer: createSigner(keys.current),
    emit,
    concurrency,
    calls,
    parallelism,
    mostRetries: retries,
    timeout: Math.min(delivery, longest),
    messageTimeout: Math.min(message, longest),
    lease: timeouts.lease ?? 30_000,
    historyBytes: limits.historyBytes ?? 4 * MIB,
    callBytes: limits.callBytes ?? 10 * MIB,
    bodyBytes: Math.min(limits.inFlightBytes ?? LARGE_BODIES, LARGE_BODIES),
    sweep: 60_000,
    region: options.region,
    retention,
  });
  const underWay = (): Parallelism => ({
    max: parallelism,
    count: dispatcher.active,
    full: dispatcher.full,
  });
  const app = createApp({
    store,
    clock,
    emit,
    tokens: { full: typeof token === "string" ? [token] : token, readOnly: options.readOnlyTokens ?? [] },
    keys,
    bodies,
    trustProxy: options.trustProxy ?? false,
    retention,
    limits: {
      requestBytes: limits.requestBytes ?? 10 * MIB,
      webhookBytes: limits.webhookBytes ?? MIB,
      webhookKept: { hits: limits.webhookHits ?? 100, bytes: limits.webhookHitBytes ?? 10 * MIB },
      batchItems: limits.batchItems ?? 1000,
      messageBytes: limits.messageBytes ?? 10 * MIB,
      retries,
      endpoints: limits.endpoints ?? 100,
      urlGroups: limits.urlGroups ?? 10_000,
      delay: limits.delay,
      timeout: limits.timeout,
      deduplication: retention.deduplication,
      queues: limits.queues ?? 10_000,
      queueParallelism: limits.queueParallelism ?? 1000,
      schedules: limits.schedules ?? 10_000,
      requestsPerSecond: limits.requestsPerSecond,
      requestsPerDay: limits.requestsPerDay,
      refusal: policy?.refusal,
    },
    parallelism: underWay,
    flows: withGlobalFlow(store.flows, underWay),
  });
  return {
    fetch: async (request, bindings) => {
      // An engine that delivers nothing has its time for it too.
      dispatcher.sweep();
      return app(request, bindings);
    },
    start: () => dispatcher.start(),
    idle: () => dispatcher.idle(),
    async stop({ deadline = 5000 } = {}) {
      await dispatcher.stop(deadline);
      if (!options.transport) await transport.close();
      if (typeof options.store === "string") await store.close();
    },
  };
}

/** An observer's fault is not the engine's. */
function toObserver(onEvent: Observer | undefined): Observer {
  return (event) => {
    try {
      onEvent?.(event);
    } catch (error) {
      console.error("An engine's onEvent threw.", error);
    }
  };
}
