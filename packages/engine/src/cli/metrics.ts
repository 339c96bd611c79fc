import { Counter, Gauge, Histogram, Registry } from "prom-client";
import type { Store } from "../commands/store.ts";
import { within } from "../delivery/within.ts";
import type { EngineEvent } from "../rules/event.ts";
import type { StateCount } from "../store/maintenance.ts";
import { measured } from "./measured.ts";

const DELIVERY_BUCKETS = [0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900];
const LAG_BUCKETS = [0.001, 0.005, 0.02, 0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600];
const STORE_BUCKETS = [0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5];

/** Counts an engine's events for Prometheus. */
export interface Metrics {
  /** Counts an engine event of a user. */
  observe(event: EngineEvent, user: string): void;
  /** Counts an answer of the API. */
  answered(status: number): void;
  /**
   * Wraps a user's store: counts its changes and times its operations. Each request for the metrics counts
   * its queues.
   */
  watch(store: Store, user: string): Store;
  /** Returns all metrics in Prometheus' text format. */
  render(): Promise<Response>;
}

export function createMetrics(): Metrics {
  const registry = new Registry();
  const meters = createMeters(registry);
  const stores = new Map<string, Store>();
  const queues = createQueueGauges(registry, async (set) => {
    for (const [user, store] of stores) set(user, await store.backlog());
  });
  return {
    observe: (event, user) => observe(meters, event, user),
    answered(status) {
      meters.answers.inc({ status: String(status) });
    },
    watch(store, user) {
      stores.set(user, store);
      store.onStates((counts) => count(meters, counts, user));
      return measured(store, (operation, seconds) => meters.operations.observe({ operation }, seconds));
    },
    async render() {
      await queues();
      return new Response(await registry.metrics(), { headers: { "Content-Type": registry.contentType } });
    },
  };
}

interface Meters {
  readonly states: Readonly<Record<StateCount["of"], Counter<"user" | "state">>>;
  readonly latency: Histogram<"user">;
  readonly lag: Histogram<"user">;
  readonly operations: Histogram<"operation">;
  readonly answers: Counter<"status">;
  readonly faults: Counter<"user">;
  readonly shortages: Counter<"code">;
}

function createMeters(registry: Registry): Meters {
  const registers = [registry];
  return {
    states: createStateCounters(registers),
    latency: new Histogram({
      name: "perdure_delivery_seconds",
      help: "How long attempts to deliver took.",
      labelNames: ["user"],
      buckets: DELIVERY_BUCKETS,
      registers,
    }),
    lag: new Histogram({
      name: "perdure_delivery_lag_seconds",
      help: "How late first attempts were, by what was asked for.",
      labelNames: ["user"],
      buckets: LAG_BUCKETS,
      registers,
    }),
    operations: new Histogram({
      name: "perdure_store_seconds",
      help: "How long operations of the store took.",
      labelNames: ["operation"],
      buckets: STORE_BUCKETS,
      registers,
    }),
    answers: new Counter({
      name: "perdure_http_answers_total",
      help: "Answers of the API.",
      labelNames: ["status"],
      registers,
    }),
    shortages: new Counter({
      name: "perdure_shortages_total",
      help: "Pauses because this machine lacks file descriptors, ports or memory, by the system's code.",
      labelNames: ["code"],
      registers,
    }),
    faults: new Counter({
      name: "perdure_faults_total",
      help: "What should not happen: see the log.",
      labelNames: ["user"],
      registers,
    }),
  };
}

function createStateCounters(registers: Registry[]): Meters["states"] {
  const counter = (name: string, help: string): Counter<"user" | "state"> =>
    new Counter({ name, help, labelNames: ["user", "state"], registers });
  return {
    message: counter(
      "perdure_messages_total",
      "Messages that have come into a state, as the log tells of it.",
    ),
    delivery: counter(
      "perdure_run_deliveries_total",
      "Deliveries of workflow runs that have come into a state.",
    ),
    inline: counter(
      "perdure_inline_total",
      "Inline execution: results and appends of invocations, invocations that were none, lost rights to append, and deliveries after an invocation without an answer.",
    ),
    retry: counter(
      "perdure_store_retries_total",
      "Operations that PostgreSQL has refused, or lost with a connection, and that the engine did again.",
    ),
    run: counter("perdure_runs_total", "Workflow runs that have come into a state."),
  };
}

/** Milliseconds after which the metrics are rendered without the numbers that the store doesn't give. */
const BACKLOG_WITHIN = 2000;

type Depths = Awaited<ReturnType<Store["backlog"]>>;

/** @returns a function that updates the gauges */
function createQueueGauges(
  registry: Registry,
  read: (set: (user: string, depths: Depths) => void) => Promise<void>,
): () => Promise<void> {
  const registers = [registry];
  const queue = new Gauge({
    name: "perdure_queue_messages",
    help: "Messages to be delivered: due now, waiting for their time, held by flow control or a busy destination.",
    labelNames: ["user", "state"],
    registers,
  });
  const letters = new Gauge({
    name: "perdure_dead_letters",
    help: "Entries of the dead letter queue.",
    labelNames: ["user"],
    registers,
  });
  return async () => {
    const reading = read((user, { due, waiting, held, deadLetters }) => {
      for (const [state, count] of Object.entries({ due, waiting, held })) queue.set({ user, state }, count);
      letters.set({ user }, deadLetters);
    });
    // The counters, faults of the store among them, are wanted most while it doesn't answer. Its old numbers would mislead.
    const isRead = await within(
      reading.then(
        () => true,
        () => false,
      ),
      BACKLOG_WITHIN,
    );
    if (isRead) return;
    queue.reset();
    letters.reset();
  };
}

function count({ states }: Meters, counts: readonly StateCount[], user: string): void {
  for (const { of, state, count } of counts) states[of].inc({ user, state }, count);
}

function observe(meters: Meters, event: EngineEvent, user: string): void {
  if (event.type === "fault") meters.faults.inc({ user });
  if (event.type === "shortage") meters.shortages.inc({ code: event.code });
  if (event.type === "delivering" && event.lag !== undefined) meters.lag.observe({ user }, event.lag / 1000);
  if ("attempt" in event && "ms" in event) meters.latency.observe({ user }, event.ms / 1000);
}
