import { AsyncLocalStorage } from "node:async_hooks";
import { writeLine } from "@perdure/core/protocol";
import { createApi, type EngineApi } from "./api/index.ts";
import { createLocalClient, type LocalClient, type LocalClientOptions } from "./api/local-client.ts";
import type { Store } from "./commands/store.ts";
import { Dispatcher } from "./delivery/dispatcher.ts";
import type { DispatcherOptions } from "./delivery/dispatcher-options.ts";
import { type Parallelism, withGlobalFlow } from "./delivery/global-flow.ts";
import { createKeys, fingerprintOf } from "./delivery/keys.ts";
import { withEndpoints, withoutEndpoints } from "./delivery/local-endpoints.ts";
import { MemoryBudget } from "./delivery/memory-budget.ts";
import { createPolicy, type DestinationPolicy } from "./delivery/policy.ts";
import { createLookup } from "./delivery/resolver.ts";
import { createSigner } from "./delivery/signer.ts";
import { guarded, type Transport } from "./delivery/transport.ts";
import { poolTransport } from "./delivery/transport-pool.ts";
import { checkEngineOptions, type EngineOptions } from "./engine-options.ts";
import { createApp } from "./http/app.ts";
import { BodyBudget } from "./http/body.ts";
import type { Bindings, Service } from "./http/service.ts";
import { openSqlite } from "./open-sqlite.ts";
import type { Clock } from "./rules/clock.ts";
import { type ResolvedOptions, resolveOptions } from "./rules/engine-options.ts";
import type { Observer } from "./rules/event.ts";
import { type SharedConfiguration, toSharedConfiguration } from "./rules/shared-configuration.ts";
import { limitStoreFaults } from "./store-faults.ts";
import { checkUnused, useStore } from "./store-use.ts";
import { systemClock } from "./system-clock.ts";
import { AttemptCounts } from "./watch/attempt-counts.ts";
import { EventStreams } from "./watch/event-streams.ts";
import { RunChanges } from "./watch/run-changes.ts";
import { RunEnds } from "./watch/run-ends.ts";
import { SearchIndexer } from "./watch/search-indexer.ts";

/** An engine, or several that share a process: it serves the HTTP API and delivers. */
export interface EngineServer {
  /** The HTTP API. */
  fetch(request: Request, bindings?: Bindings): Promise<Response>;
  /**
   * Begins to deliver. Messages that the engine accepts earlier wait until then.
   *
   * @throws TypeError when the engine was stopped, and its store was given to another one
   */
  start(): void;
  /** Resolves when no message is due and none is in flight. */
  idle(): Promise<void>;
  /**
   * Begins no more deliveries, and waits for those in flight, at most `deadline` milliseconds (default 5000).
   */
  stop(options?: { readonly deadline?: number }): Promise<void>;
}

/** An engine in this process, with its API as methods. */
export interface Engine extends EngineServer, EngineApi {
  /**
   * Returns the settings of a client that asks this engine without HTTP: of a `Client`, and of the endpoints of this process.
   *
   * @throws TypeError for an unknown option, and for a `baseUrl` that isn't an HTTP URL
   * @example
   * ```ts
   * const { handler } = serve(workflow, { qstashClient: engine.client(), keys: signingKeys });
   * const client = new Client(engine.client());
   * ```
   */
  client(options?: LocalClientOptions): LocalClient;
}

/**
 * Maximum bytes of large bodies in memory: of answers to calls and deliveries in flight, and as much again of the
 * histories that endpoints fetch.
 */
const LARGE_BODIES = 64 * 1024 * 1024;

/** Milliseconds between two deletions of what is no longer kept. */
const SWEEP_MS = 60_000;

/**
 * Maximum number of bytes in an endpoint's record for one byte of an answer: a quotation mark within three
 * layers of JSON strings.
 */
const RECORD_FACTOR = 10;

/**
 * Creates an engine in this process. It delivers nothing before `start()`.
 *
 * @throws StoreUnavailable when the engine can't open the database
 * @throws TypeError that names an unknown or invalid option, before it opens the database, and for a store that another engine
 * uses
 * @example
 * ```ts
 * const engine = createEngine({ store: "perdure.db", token, signingKeys: { current, next } });
 * engine.start();
 * await engine.fetch(new Request("http://engine/v2/publish/https://app.test/", { method: "POST", headers }));
 * ```
 */
export function createEngine(options: EngineOptions): Engine {
  checkEngineOptions(options);
  return openEngine(options, createBodyBudget(resolveOptions(options)));
}

/** The memory that all engines of a process share for the bodies of requests. */
export function createBodyBudget({ limits }: Pick<ResolvedOptions, "limits">): BodyBudget {
  return new BodyBudget(Math.max(limits.inFlightBytes, limits.requestBytes));
}

/** The connections of an engine. `policy` decides which addresses they may go to. */
export function createTransport(
  { limits, timeouts }: Pick<ResolvedOptions, "limits" | "timeouts">,
  policy: DestinationPolicy | undefined,
): Transport {
  const lookup = createLookup({ timeout: timeouts.lookup });
  return poolTransport({ maxBytes: limits.responseBytes, policy, lookup });
}

/** Like {@link createEngine}, for one of several engines, whose options are checked. @param bodies the memory that they share */
export function openEngine(options: EngineOptions, bodies: BodyBudget): Engine {
  const resolved = resolveOptions(options);
  const policy = options.destinations && createPolicy(options.destinations);
  const store = openStore(options);
  const { clock = store.clock ?? systemClock } = options;
  store.useClock(() => clock.now());
  store.limitLists(resolved.timeouts.query);
  const keys = createKeys({ store, clock, configured: options.signingKeys });
  const onStep = (runId: string): void => dispatcher.hear(runId);
  const watchers = watch(store, clock, { resolved, onStep, onEvent: options.onEvent });
  const transport = toTransport(options, resolved, policy);
  const accepted = policy && withoutEndpoints(policy, options.endpoints);
  const settings = toDispatcherSettings(resolved, accepted);
  const dispatcher = new Dispatcher({
    ...settings,
    store,
    clock,
    transport,
    signer: createSigner(keys.current),
    emit: (event) => {
      watchers.emit(event);
      store.tellOthers?.(event);
    },
    onRunsDeleted: (runs) => watchers.search.forget(runs),
  });
  const parallelism = (): Parallelism => ({
    max: settings.parallelism,
    count: dispatcher.active,
    full: dispatcher.full,
  });
  const service: Service = {
    ...watchers,
    store,
    clock,
    keys,
    bodies,
    tokens: toTokens(options),
    histories: new MemoryBudget(settings.bodyBytes),
    trustProxy: resolved.trustProxy,
    hidePayloads: resolved.hidePayloads,
    retention: resolved.retention,
    limits: toServiceLimits(resolved, accepted),
    parallelism,
    flows: withGlobalFlow(store, parallelism),
  };
  const app = createApp(service);
  const use = useStore(store);
  // An engine that delivers nothing must also sweep.
  const sweep = (): void => dispatcher.sweep();
  const fetch = async (request: Request, bindings?: Bindings): Promise<Response> => {
    sweep();
    return app(request, bindings);
  };
  return {
    ...createApi(service, sweep),
    fetch,
    client: (given = {}) => createLocalClient({ service, begin: sweep, fetch }, given),
    start() {
      use.goOn();
      watchers.start();
      dispatcher.start();
      const during = "comparing the configuration with that of other engines";
      store
        .announce?.(configurationOf(options, resolved))
        .catch((error: unknown) => watchers.emit({ type: "fault", during, error }));
    },
    idle: () => dispatcher.idle(),
    async stop({ deadline = 5000 } = {}) {
      watchers.stopWaits();
      await dispatcher.stop(deadline);
      await watchers.search.stop();
      if (!options.transport) await transport.close();
      watchers.close();
      if (typeof options.store === "string") await store.close();
      use.end();
    },
  };
}

/** The transport of the options, or a pool of connections, beside the endpoints of this process. The policy is for what leaves it. */
function toTransport(
  { transport, endpoints }: EngineOptions,
  resolved: ResolvedOptions,
  policy: DestinationPolicy | undefined,
): Transport {
  const any = transport ?? createTransport(resolved, policy);
  const remote = policy ? guarded(any, policy) : any;
  return endpoints ? withEndpoints(endpoints, remote, resolved.limits.responseBytes) : remote;
}

/** The parts of an engine that watch its events, for clients and for the engine's owner. */
interface Watchers extends Pick<Service, "emit" | "attempts" | "streams" | "search" | "runEnds"> {
  start(): void;
  /** Ends the waits of clients, before the dispatcher stops. */
  stopWaits(): void;
  /** Reports no more faults of the store, which may be closed. */
  close(): void;
}

interface WatchOptions {
  readonly resolved: ResolvedOptions;
  /** Called with the id of a run that has recorded a step. */
  readonly onStep: (runId: string) => void;
  readonly onEvent: Observer | undefined;
}

/** Creates the watchers, and connects them with the events of a store. */
function watch(store: Store, clock: Clock, { resolved, onStep, onEvent }: WatchOptions): Watchers {
  let isOpen = true;
  const tell = limitStoreFaults({ observer: toObserver(onEvent), clock, isOpen: () => isOpen });
  const changes = new RunChanges();
  const attempts = new AttemptCounts(clock);
  const streams = new EventStreams(store, clock);
  const search = new SearchIndexer({ store, isOn: resolved.search, emit: tell });
  const runEnds = new RunEnds({ store, clock, changes, most: resolved.limits.runWaits });
  const emit: Observer = (event) => {
    if (event.type === "step.recorded") onStep(event.runId);
    changes.publish(event);
    streams.publish(event);
    attempts.count(event);
    search.publish(event);
    tell(event);
  };
  // A transaction is shared, and runs in the context of one of the requests that it is for.
  store.onEvent(AsyncLocalStorage.bind(emit));
  store.onRunsChanged((runIds) => {
    changes.publishElsewhere(runIds);
    for (const runId of runIds) streams.publish({ type: "run.changed", runId });
  });
  return {
    emit,
    attempts,
    streams,
    search,
    runEnds,
    start() {
      isOpen = true;
      runEnds.start();
      streams.start();
      search.start();
    },
    stopWaits() {
      runEnds.stop();
      streams.stop();
    },
    close() {
      isOpen = false;
    },
  };
}

function toTokens({ token, readOnlyTokens = [] }: EngineOptions): Service["tokens"] {
  return { full: typeof token === "string" ? [token] : token, readOnly: readOnlyTokens };
}

/** The part of the configuration that the engines of a database compare. */
function configurationOf(options: EngineOptions, resolved: ResolvedOptions): SharedConfiguration {
  const { full, readOnly } = toTokens(options);
  const { current, next } = options.signingKeys;
  return toSharedConfiguration({
    secrets: {
      "signing keys": [current, next].map(fingerprintOf),
      tokens: full.map(fingerprintOf),
      "read-only tokens": readOnly.map(fingerprintOf),
    },
    options: resolved,
    destinations: options.destinations,
  });
}

/** The settings of a dispatcher that are numbers, flags or names. */
function toDispatcherSettings(
  { concurrency, calls, timeouts, limits, retention, region }: ResolvedOptions,
  policy: DestinationPolicy | undefined,
): Omit<DispatcherOptions, "store" | "clock" | "transport" | "signer" | "emit" | "onRunsDeleted"> {
  const longest = limits.timeout ?? Number.POSITIVE_INFINITY;
  return {
    concurrency,
    calls,
    parallelism: Math.min(limits.parallelism ?? Number.POSITIVE_INFINITY, concurrency + calls),
    mostRetries: limits.retries,
    inline: { ...limits, refusal: policy?.refusal },
    inlineBytes: Math.max(limits.responseBytes, limits.requestBytes),
    timeout: Math.min(timeouts.delivery, longest),
    messageTimeout: Math.min(timeouts.message, longest),
    lease: timeouts.lease,
    historyBytes: limits.historyBytes,
    callBytes: limits.callBytes,
    recordableBytes: Math.min(limits.requestBytes, limits.messageBytes) / RECORD_FACTOR,
    bodyBytes: Math.min(limits.inFlightBytes, LARGE_BODIES),
    sweep: SWEEP_MS,
    region,
    retention,
  };
}

function toServiceLimits(
  { limits, retention }: ResolvedOptions,
  policy: DestinationPolicy | undefined,
): Service["limits"] {
  return {
    ...limits,
    webhookKept: { hits: limits.webhookHits, bytes: limits.webhookHitBytes },
    deduplication: retention.deduplication,
    refusal: policy?.refusal,
  };
}

/** Returns the store of the options, or opens the file that they name. */
function openStore({ store, clock = systemClock }: EngineOptions): Store {
  if (typeof store === "string") return openSqlite(store, { now: () => clock.now() });
  checkUnused(store);
  return store;
}

/** Wraps the observer so that its errors don't reach the engine. */
function toObserver(onEvent: Observer | undefined): Observer {
  return (event) => {
    try {
      onEvent?.(event);
    } catch (error) {
      writeLine("error", "The engine's onEvent threw:", error);
    }
  };
}
