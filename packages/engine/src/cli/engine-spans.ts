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

/** An attempt to deliver a message, which has ended. */
type AttemptEnd = Extract<EngineEvent, { readonly ms: number; readonly attempt: number }>;

type StepRecorded = Extract<EngineEvent, { readonly type: "step.recorded" }>;

/** The end of a run, after `ms` milliseconds. */
interface RunEnd {
  readonly runId: string;
  readonly ms: number;
  readonly error?: string | undefined;
}

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

  constructor(tracer: Tracer, ids: ChosenIds) {
    this.#tracer = tracer;
    this.#ids = ids;
  }

  /** Exports the span that an event ends, if it ends one. */
  observe(event: EngineEvent, user: string): void {
    const now = Date.now();
    switch (event.type) {
      case "step.recorded":
        this.#endWait(event, user, now);
        return;
      case "run.completed":
      case "run.canceled":
      case "run.expired":
        this.#endRun(event, user, now);
        return;
      default:
        if ("ms" in event && "attempt" in event) this.#endAttempt(event, user, now);
    }
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
    if (event.type === "failed" && runId !== undefined && event.runMs !== undefined)
      this.#endRun({ runId, ms: event.runMs, error }, user, now);
  }

  #endWait({ runId, step, stepType, waitingSince }: StepRecorded, user: string, now: number): void {
    if (waitingSince === undefined) return;
    const attributes = { "perdure.user": user, "perdure.run.id": runId, "perdure.step.name": step };
    const span = { kind: SpanKind.INTERNAL, begin: waitingSince, end: now, attributes };
    this.#export({ name: `${stepType} ${step}`, ...span }, runId, `${runId} ${step} ${waitingSince}`);
  }

  #endRun({ runId, ms, error }: RunEnd, user: string, now: number): void {
    const attributes = { "perdure.user": user, "perdure.run.id": runId };
    const span = { name: "run", kind: SpanKind.PRODUCER, begin: now - ms, end: now, attributes, error };
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
