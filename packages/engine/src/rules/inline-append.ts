import type { InlineAppend, StepKey } from "@perdure/core/protocol";
import { invalid } from "./engine-error.ts";
import {
  type InlineLimits,
  type InlineOrigin,
  type NewInlineEntry,
  readInlineRecords,
  readStepKey,
} from "./inline-records.ts";
import { parseLease, type RunLease } from "./run-lease.ts";

/** Records for a run, under the lease of an invocation. */
export interface AppendInline {
  readonly lease: RunLease;
  /** The position of the last entry that the invocation knows. */
  readonly after: number;
  readonly entries: readonly NewInlineEntry[];
  readonly underWay: readonly StepKey[];
}

/** @throws EngineError that names the field, or the limit */
export function readInlineAppend(
  value: unknown,
  origin: Omit<InlineOrigin, "runId">,
  limits: InlineLimits,
): AppendInline {
  const { lease: token, after, records, underWay } = Object(value) as Partial<InlineAppend>;
  const lease = typeof token === "string" ? parseLease(token) : undefined;
  if (!lease) throw invalid("lease", "expected the value of Perdure-Lease of a delivery");
  if (!Array.isArray(underWay)) throw invalid("underWay", "expected a list of steps");
  return {
    lease,
    after: readAfter(after),
    entries: readInlineRecords(records, { ...origin, runId: lease.runId }, limits),
    underWay: underWay.map((step, at) => readStepKey(step, `underWay[${at}]`)),
  };
}

/** @throws EngineError `invalid_request` */
export function readAfter(value: unknown): number {
  if (Number.isSafeInteger(value) && (value as number) >= 1) return value as number;
  throw invalid(
    "after",
    `expected the number of entries that the invocation knows, got ${JSON.stringify(value)}`,
  );
}
