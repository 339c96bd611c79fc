/**
 * Runs a workflow that fails, with tracing, and prints its spans and metrics as JSON. Each runtime runs this program.
 * Arguments: the `traces` option; `broken` for an exporter that throws.
 */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { type AttributeValue, context, metrics, propagation, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { W3CTraceContextPropagator } from "@opentelemetry/core";
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from "@opentelemetry/sdk-metrics";
import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";
import { toNode } from "@perdure/adapters/node";
import { Client, serve, WorkflowNonRetryableError } from "@perdure/core";
import { createEngine, fetchTransport } from "@perdure/engine";
import { openTelemetry, traceHeaders } from "../src/index.ts";

/** A span as the tests compare it. */
export interface SpanFacts {
  readonly name: string;
  /** `SpanKind` of the API. */
  readonly kind: number;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentId: string | undefined;
  readonly links: readonly string[];
  readonly error: string | undefined;
  readonly attributes: Readonly<Record<string, AttributeValue | undefined>>;
}

/** Everything that the program prints. */
export interface Facts {
  readonly runId: string;
  readonly state: string;
  readonly triggerTraceId: string;
  /** The traceparent that the called service and the step's own request carry. */
  readonly called: string | undefined;
  readonly spans: readonly SpanFacts[];
  readonly histograms: readonly string[];
}

const [, , traces, exporting] = process.argv;

class BrokenExporter extends InMemorySpanExporter {
  override export(): never {
    throw new Error("no collector");
  }
}

const exporter = exporting === "broken" ? new BrokenExporter() : new InMemorySpanExporter();
const metricExporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
const reader = new PeriodicExportingMetricReader({
  exporter: metricExporter,
  exportIntervalMillis: 3_600_000,
});
context.setGlobalContextManager(new AsyncLocalStorageContextManager());
propagation.setGlobalPropagator(new W3CTraceContextPropagator());
trace.setGlobalTracerProvider(
  new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] }),
);
metrics.setGlobalMeterProvider(new MeterProvider({ readers: [reader] }));

let called: string | undefined;
const token = "token-of-the-test";
const signingKeys = { current: "sig_current", next: "sig_next" };
const engine = createEngine({
  store: ":memory:",
  token,
  signingKeys,
  transport: fetchTransport(1_000_000, async (request) => {
    if (!request.url.startsWith("http://stock.test/")) return handler(request);
    called = request.headers.get("traceparent") ?? undefined;
    return new Response("3");
  }),
});
const api = createServer(toNode((request) => engine.fetch(request))).listen(0, "127.0.0.1");
await once(api, "listening");
const baseUrl = `http://127.0.0.1:${(api.address() as AddressInfo).port}`;

const { handler } = serve<{ id: number }>(
  async (context) => {
    const card = () => trace.getTracer("app").startActiveSpan("card", (span) => span.end());
    await context.run("charge", card, { rollback: () => undefined });
    await context.call("stock", { url: "http://stock.test/", body: "3" });
    await context.run("ship", () => {
      throw new WorkflowNonRetryableError("no van");
    });
  },
  {
    qstashClient: { baseUrl, token },
    keys: signingKeys,
    middlewares: [openTelemetry(traces === "run" ? { traces } : {})],
    failureFunction: () => "told the customer",
  },
);
// The program prints nothing but its facts.
console.error = () => {};
engine.start();

const client = new Client({ baseUrl, token });
const { workflowRunId, traceId } = await trace.getTracer("app").startActiveSpan("order", async (span) => {
  const started = await client.trigger({
    url: "http://app.test/order",
    body: { id: 7, card: "4242-4242" },
    headers: await traceHeaders(),
  });
  span.end();
  return { ...started, traceId: span.spanContext().traceId };
});
const run = await client.runs.wait(workflowRunId, { timeout: "20s", failureFunction: "wait" });
await engine.idle();
await reader.forceFlush();

const facts: Facts = {
  runId: workflowRunId,
  state: run.workflowState,
  triggerTraceId: traceId,
  called,
  spans: exporter.getFinishedSpans().map((span) => ({
    name: span.name,
    kind: span.kind,
    traceId: span.spanContext().traceId,
    spanId: span.spanContext().spanId,
    parentId: span.parentSpanContext?.spanId,
    links: span.links.map((link) => link.context.traceId),
    error: span.status.message,
    attributes: span.attributes,
  })),
  histograms: metricExporter
    .getMetrics()
    .flatMap(({ scopeMetrics }) => scopeMetrics)
    .flatMap(({ metrics }) => metrics)
    .flatMap(({ descriptor, dataPoints }) =>
      dataPoints.map(({ attributes: { workflow, kind = "", step = "", outcome } }) =>
        [descriptor.name, workflow, kind, step, outcome].filter((one) => one !== "").join(" "),
      ),
    ),
};
console.log(JSON.stringify(facts));
await engine.stop();
api.closeAllConnections();
api.close();
