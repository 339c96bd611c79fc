import { createHash } from "node:crypto";
import type { SpanContext } from "@opentelemetry/api";
import { type IdGenerator, RandomIdGenerator } from "@opentelemetry/sdk-trace";

/** Derives the span context of a run from its id, as the package `@perdure/otel` does. */
export function runSpanContext(runId: string): SpanContext {
  const hex = digest(runId);
  return { traceId: hex.slice(0, 32), spanId: hex.slice(32, 48), traceFlags: 1, isRemote: true };
}

/** Derives a span id from a key. */
export function spanId(key: string): string {
  return digest(key).slice(0, 16);
}

function digest(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

type Ids = Partial<Pick<SpanContext, "traceId" | "spanId">>;

/** Gives spans the ids that are chosen while they begin, and random ids otherwise. */
export class ChosenIds implements IdGenerator {
  readonly #random = new RandomIdGenerator();
  #chosen: Ids = {};

  /** Calls `begin`, whose spans get these ids. */
  during(ids: Ids, begin: () => void): void {
    this.#chosen = ids;
    try {
      begin();
    } finally {
      this.#chosen = {};
    }
  }

  generateTraceId(): string {
    return this.#chosen.traceId ?? this.#random.generateTraceId();
  }

  generateSpanId(): string {
    return this.#chosen.spanId ?? this.#random.generateSpanId();
  }
}
