import {
  type Attributes,
  type Context,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  trace,
} from "@opentelemetry/api";
import type { EngineEvent } from "../rules/event.ts";
import { type ChosenIds, runSpanContext, spanId } from "./span-ids.ts";

/** The runs, and the waits, whose begins are remembered. The span of a forgotten one isn't exported. */
const MAX_REMEMBERED = 100_000;

/** An attempt to deliver a message, which has ended. */
type AttemptEnd = Extract<EngineEvent, { readonly ms: number; readonly attempt: number }>;

/** A span that has ended. Times in milliseconds since 1970. */
interface EndedSpan {
  readonly name: string;
  readonly kind: SpanKind;
  readonly begin: number;
  readonly end: number;
  readonly attributes: Attributes;
  readonly error?: string | undefined;
}

/** Makes the spans of an engine's events. */
export class EngineSpans {
  readonly #tracer: Tracer;
  readonly #ids: ChosenIds;
  /** When runs, and waits of runs, began. */
  readonly #begins = new Map<string, number>();

  constructor(tracer: Tracer, ids: ChosenIds) {
    this.#tracer = tracer;
    this.#ids = ids;
  }

  /** Exports the span that an event ends, if it ends one. */
  observe(event: EngineEvent, user: string): void {
    const now = Date.now();
    switch (event.type) {
      case "run.started":
        this.#remember(event.runId, now);
        return;
      case "step.waiting":
        this.#remember(`${event.runId} ${event.step}`, now);
        return;
      case "step.recorded":
        this.#endWait(event, user, now);
        return;
      case "run.completed":
      case "run.canceled":
        this.#endRun(event.runId, user, { now });
        return;
      case "run.expired":
        this.#endRun(event.runId, user, { now, error: event.error });
        return;
      default:
        if ("ms" in event && "attempt" in event) this.#endAttempt(event, user, now);
    }
  }

  #remember(key: string, now: number): void {
    const [oldest] = this.#begins.keys();
    if (oldest !== undefined && this.#begins.size >= MAX_REMEMBERED) this.#begins.delete(oldest);
    this.#begins.set(key, now);
  }

  #take(key: string): number | undefined {
    const begin = this.#begins.get(key);
    this.#begins.delete(key);
    return begin;
  }

  #endAttempt(event: AttemptEnd, user: string, now: number): void {
    const { messageId, kind, url, runId, step, attempt, status, ms } = event;
    const error = "error" in event ? event.error : undefined;
    const span = {
      name: `deliver ${pathOf(url)}`,
      kind: SpanKind.PRODUCER,
      begin: now - ms,
      end: now,
      attributes: {
        "perdure.user": user,
        "perdure.message.id": messageId,
        "perdure.message.kind": kind,
        "perdure.attempt": attempt,
        "url.full": url,
        ...(status > 0 ? { "http.response.status_code": status } : {}),
        ...(runId === undefined ? {} : { "perdure.run.id": runId }),
        ...(step === undefined ? {} : { "perdure.step.name": step }),
      },
      error,
    };
    this.#export(span, runId, `${messageId} ${attempt}`);
    if (event.type === "failed" && event.kind === "step" && runId !== undefined)
      this.#endRun(runId, user, { now, error: event.error });
  }

  #endWait(
    { runId, step, stepType }: Extract<EngineEvent, { type: "step.recorded" }>,
    user: string,
    now: number,
  ): void {
    const key = `${runId} ${step}`;
    const begin = this.#take(key);
    if (begin === undefined) return;
    const attributes = { "perdure.user": user, "perdure.run.id": runId, "perdure.step.name": step };
    this.#export(
      { name: `${stepType} ${step}`, kind: SpanKind.INTERNAL, begin, end: now, attributes },
      runId,
      `${key} ${begin}`,
    );
  }

  #endRun(
    runId: string,
    user: string,
    { now, error }: { readonly now: number; readonly error?: string },
  ): void {
    const begin = this.#take(runId);
    if (begin === undefined) return;
    const attributes = { "perdure.user": user, "perdure.run.id": runId };
    const span = { name: "run", kind: SpanKind.PRODUCER, begin, end: now, attributes, error };
    this.#ids.during(runSpanContext(runId), () => this.#write(span, ROOT_CONTEXT));
  }

  /** @param key identifies the span: the same key gives the same span id, also in another process */
  #export(span: EndedSpan, runId: string | undefined, key: string): void {
    const parent =
      runId === undefined ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, runSpanContext(runId));
    this.#ids.during({ spanId: spanId(key) }, () => this.#write(span, parent));
  }

  #write({ name, kind, begin, end, attributes, error }: EndedSpan, parent: Context): void {
    const span = this.#tracer.startSpan(name, { kind, attributes, startTime: begin }, parent);
    if (error !== undefined) span.setStatus({ code: SpanStatusCode.ERROR, message: error });
    span.end(end);
  }
}

function pathOf(url: string): string {
  return URL.parse(url)?.pathname ?? url;
}
