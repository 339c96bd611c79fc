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

type AttemptBegin = Extract<EngineEvent, { readonly type: "delivering" }>;

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

/** A wait of a run, or of a delivery. Times in milliseconds since 1970. */
interface EndedWait {
  readonly name: string;
  readonly since: number;
  readonly until: number;
  readonly runId: string | undefined;
  readonly step: string | undefined;
  /** Identifies the span: the same key gives the same span id, also in another process. */
  readonly key: string;
  readonly attributes?: Attributes;
}

/** Makes the spans of an engine's events. */
export class EngineSpans {
  readonly #tracer: Tracer;
  readonly #ids: ChosenIds;
  readonly #now: () => number;

  /** @param now milliseconds since 1970 */
  constructor(tracer: Tracer, ids: ChosenIds, now: () => number = Date.now) {
    this.#tracer = tracer;
    this.#ids = ids;
    this.#now = now;
  }

  /** Exports the spans that an event ends. */
  observe(event: EngineEvent, user: string): void {
    const now = this.#now();
    switch (event.type) {
      case "step.recorded":
        this.#endStep(event, user, now);
        return;
      case "delivering":
        this.#beginAttempt(event, user, now);
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

  #endStep(event: StepRecorded, user: string, now: number): void {
    const { runId, step, stepType, waitingSince: since, recordKey } = event;
    if (since === undefined) return;
    const wait = { name: `${stepType} ${step}`, since, until: now, runId, step };
    this.#endWait({ ...wait, key: `${runId} ${recordKey} ${since}` }, user);
  }

  #beginAttempt(event: AttemptBegin, user: string, now: number): void {
    const { slept, held, messageId, url, runId, step, attempt } = event;
    if (slept) {
      const name = slept.stepType === undefined ? "delay" : `${slept.stepType} ${step}`;
      this.#endWait({ name, ...slept, runId, step, key: `${messageId} sleep` }, user);
    }
    if (!held) return;
    const attributes = {
      "perdure.message.id": messageId,
      "perdure.attempt": attempt,
      ...(held.queue === undefined ? {} : { "perdure.queue": held.queue }),
      ...(held.flowKey === undefined ? {} : { "perdure.flow_control.key": held.flowKey }),
    };
    const wait = { name: `wait to deliver ${pathOf(url)}`, since: held.since, until: now, runId, step };
    this.#endWait({ ...wait, key: `${messageId} ${attempt} held`, attributes }, user);
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
    if (event.type === "called" && runId !== undefined) {
      const call = { name: `Call ${step}`, since: event.waitingSince, until: now, runId, step };
      this.#endWait({ ...call, key: `${messageId} call` }, user);
    }
    if (event.type === "failed" && runId !== undefined && event.runMs !== undefined)
      this.#endRun({ runId, ms: event.runMs, error }, user, now);
  }

  #endWait({ name, since, until, runId, step, key, attributes }: EndedWait, user: string): void {
    const span = {
      name,
      kind: SpanKind.INTERNAL,
      begin: since,
      end: until,
      attributes: {
        "perdure.user": user,
        ...(runId === undefined ? {} : { "perdure.run.id": runId }),
        ...(step === undefined ? {} : { "perdure.step.name": step }),
        ...attributes,
      },
    };
    this.#export(span, runId, key);
  }

  #endRun({ runId, ms, error }: RunEnd, user: string, now: number): void {
    const attributes = { "perdure.user": user, "perdure.run.id": runId };
    const span = { name: "run", kind: SpanKind.PRODUCER, begin: now - ms, end: now, attributes, error };
    this.#ids.during(runSpanContext(runId), () => this.#write(span, ROOT_CONTEXT));
  }

  /** @param key as that of {@link EndedWait} */
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
