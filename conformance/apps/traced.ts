import { context, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";
import { serve } from "@perdure/adapters/cloudflare";
import { openTelemetry } from "@perdure/otel";

const exporter = new InMemorySpanExporter();
context.setGlobalContextManager(new AsyncLocalStorageContextManager());
trace.setGlobalTracerProvider(
  new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] }),
);

const workflow = serve(
  (run) => run.run("charge", () => trace.getTracer("app").startActiveSpan("card", (span) => span.end())),
  { middlewares: [openTelemetry()], verify: "off" },
);

/** A workflow at `/api/order`; `/api/spans` shows the spans of the isolate. */
export default {
  async fetch(request: Request, env: unknown): Promise<Response> {
    if (!request.url.endsWith("/spans")) return workflow.fetch(request, env);
    const spans = exporter.getFinishedSpans().map((span) => ({
      name: span.name,
      id: span.spanContext().spanId,
      parent: span.parentSpanContext?.spanId,
    }));
    return Response.json(spans);
  },
};
