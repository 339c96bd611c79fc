import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { BatchSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";
import type { EngineEvent } from "../rules/event.ts";
import { EngineSpans } from "./engine-spans.ts";
import { ChosenIds } from "./span-ids.ts";

/** Exports an engine's side of runs as traces. */
export interface Tracing {
  /** Exports the span that an event ends, if it ends one. */
  observe(event: EngineEvent, user: string): void;
  /** Exports what is left. Never rejects. */
  stop(): Promise<void>;
}

/** Milliseconds for the last export. */
const LAST_EXPORT_MS = 3000;

/**
 * Creates the exporter. A run is one trace whose id derives from the run's id: `run` spans the run, and each
 * attempt to deliver and each wait is a child of it. Without a collector at the address, spans are
 * dropped.
 *
 * @param endpoint the collector's address, without `/v1/traces`
 * @param version of this engine
 */
export function createTracing(endpoint: string, version: string): Tracing {
  const ids = new ChosenIds();
  const exporter = new OTLPTraceExporter({ url: `${endpoint.replace(/\/+$/, "")}/v1/traces` });
  const provider = new TracerProvider({
    idGenerator: ids,
    resource: resourceFromAttributes({ "service.name": "perdure", "service.version": version }),
    spanProcessors: [new BatchSpanProcessor({ exporter })],
  });
  const spans = new EngineSpans(provider.getTracer("@perdure/engine", version), ids);
  return {
    observe: (event, user) => spans.observe(event, user),
    stop: async () => {
      const timeout = new Promise((resolve) => setTimeout(resolve, LAST_EXPORT_MS).unref());
      await Promise.race([provider.shutdown().catch(() => {}), timeout]);
    },
  };
}
