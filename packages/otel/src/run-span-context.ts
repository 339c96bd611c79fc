import type { SpanContext } from "@opentelemetry/api";

/** `TraceFlags.SAMPLED`. */
const SAMPLED = 1;

/**
 * Derives the span context of a run from its id: the first 16 bytes of the id's SHA-256 are the trace id, the next 8 the
 * span id. Every process derives the same, so deliveries and the engine need not tell each other.
 */
export async function runSpanContext(runId: string): Promise<SpanContext> {
  const bytes = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(runId)));
  const hex = (part: Uint8Array): string =>
    Array.from(part, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return {
    traceId: hex(bytes.subarray(0, 16)),
    spanId: hex(bytes.subarray(16, 24)),
    traceFlags: SAMPLED,
    isRemote: true,
  };
}
