import type { Attributes, Context, Link, Span } from "@opentelemetry/api";
import { type MiddlewareScope, WorkflowMiddleware } from "@perdure/core";
import { toErrorBody } from "@perdure/core/protocol";
import { type Api, loadApi } from "./api.ts";
import { createInstruments, type Instruments } from "./instruments.ts";
import { runSpanContext } from "./run-span-context.ts";

/** Options of {@link openTelemetry}. */
export interface TracingOptions {
  /**
   * `"invocation"`: each delivery is a trace, with links to its run and to the span that started the run. `"run"`: all
   * deliveries of a run are one trace, whose id derives from the run's id. Default: `"invocation"`.
   */
  readonly traces?: "invocation" | "run";
}

/** The name of the tracer and of the meter. */
const SCOPE_NAME = "@perdure/otel";

/**
 * Creates a middleware that traces deliveries, the steps that they execute, rollbacks, failure and cancel functions, and
 * measures them. It uses the global tracer and meter provider of `@opentelemetry/api`. Without that package, or with a
 * provider that throws, it does nothing, and runs go on. Spans have no payloads and no results.
 *
 * @throws TypeError for unknown `traces`
 * @example
 * ```ts
 * serve(workflow, { middlewares: [openTelemetry()] });
 * ```
 */
export function openTelemetry({ traces = "invocation" }: TracingOptions = {}): WorkflowMiddleware {
  if (traces !== "invocation" && traces !== "run")
    throw new TypeError(`traces must be "invocation" or "run"; got ${JSON.stringify(traces)}.`);
  let loading: Promise<Api | undefined> | undefined;
  let api: Api | undefined;
  let instruments: Instruments | undefined;
  return new WorkflowMiddleware({
    name: "OpenTelemetry",
    callbacks: {},
    around: async (scope, next) => {
      loading ??= loadApi();
      api = await loading;
      if (!api) return next();
      instruments ??= createInstruments(api.metrics.getMeter(SCOPE_NAME));
      const span = await toSpan(api, scope, traces);
      return instruments.measure(scope, () => inSpan(api as Api, span, next));
    },
    outgoingHeaders: () => (api ? inject(api) : {}),
  });
}

/**
 * Returns the headers that connect a run with the current trace: pass them as `headers` of `trigger`, of a schedule, or
 * of a published message. Empty without `@opentelemetry/api`, and outside of a span.
 *
 * @example
 * ```ts
 * await client.trigger({ url, body, headers: await traceHeaders() });
 * ```
 */
export async function traceHeaders(): Promise<Record<string, string>> {
  const api = await loadApi();
  return api ? inject(api) : {};
}

function inject({ propagation, context }: Api): Record<string, string> {
  const headers: Record<string, string> = {};
  propagation.inject(context.active(), headers);
  return headers;
}

/** A span to begin, and the context in which it begins. */
interface NewSpan {
  readonly name: string;
  readonly isDelivery: boolean;
  readonly parent: Context;
  readonly links: Link[];
  readonly attributes: Attributes;
}

const NAMES: Readonly<Record<MiddlewareScope["kind"], string>> = {
  delivery: "process",
  step: "step",
  rollback: "rollback",
  failureFunction: "failure function",
  cancelFunction: "cancel function",
};

async function toSpan(api: Api, scope: MiddlewareScope, traces: "invocation" | "run"): Promise<NewSpan> {
  const { kind, workflowRunId, url, attempt, stepName } = scope;
  const place = kind === "delivery" ? new URL(url).pathname : stepName;
  return {
    isDelivery: kind === "delivery",
    name: place === undefined ? NAMES[kind] : `${NAMES[kind]} ${place}`,
    attributes: {
      "perdure.workflow.url": url,
      "perdure.attempt": attempt,
      ...(workflowRunId === undefined ? {} : { "perdure.run.id": workflowRunId }),
      ...(stepName === undefined ? {} : { "perdure.step.name": stepName }),
    },
    ...(kind === "delivery"
      ? await placeOfDelivery(api, scope, traces)
      : { parent: api.context.active(), links: [] }),
  };
}

/** A delivery begins a trace, or continues its run's. Links lead to what caused it. */
async function placeOfDelivery(
  { context, propagation, trace, ROOT_CONTEXT }: Api,
  { workflowRunId, headers }: MiddlewareScope,
  traces: "invocation" | "run",
): Promise<Pick<NewSpan, "parent" | "links">> {
  const run = workflowRunId === undefined ? undefined : await runSpanContext(workflowRunId);
  const trigger = trace.getSpanContext(propagation.extract(ROOT_CONTEXT, Object.fromEntries(headers)));
  const surrounding = trace.getSpanContext(context.active());
  const isParent = traces === "run" && run !== undefined;
  const causes = [trigger, surrounding, isParent ? undefined : run];
  return {
    parent: isParent ? trace.setSpanContext(ROOT_CONTEXT, run) : ROOT_CONTEXT,
    links: causes.flatMap((one) => (one ? { context: one } : [])),
  };
}

async function inSpan(
  api: Api,
  { name, isDelivery, parent, links, attributes }: NewSpan,
  next: () => Promise<void>,
): Promise<void> {
  const { trace, context, SpanKind, SpanStatusCode } = api;
  const kind = isDelivery ? SpanKind.CONSUMER : SpanKind.INTERNAL;
  const span: Span = trace.getTracer(SCOPE_NAME).startSpan(name, { kind, links, attributes }, parent);
  try {
    await context.with(trace.setSpan(parent, span), next);
  } catch (error) {
    try {
      const { message } = toErrorBody(error, false);
      span.setStatus({ code: SpanStatusCode.ERROR, message });
      span.recordException(error instanceof Error ? error : message);
    } catch {
      // User code may throw values that can't be read. The run's own error must not get lost.
    }
    throw error;
  } finally {
    span.end();
  }
}
