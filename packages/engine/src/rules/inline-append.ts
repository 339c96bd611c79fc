import { encodeCapabilities, type InlineAppend, type StepKey } from "@perdure/core/protocol";
import { invalid } from "./engine-error.ts";
import {
  type InlineLimits,
  type InlineOrigin,
  type NewInlineEntry,
  readInlineRecords,
  readStepKey,
} from "./inline-records.ts";
import { boundCapabilities } from "./policy.ts";
import type { Run } from "./run.ts";
import { parseLease, type RunLease } from "./run-lease.ts";

/** Records for a run, under the lease of an invocation. */
export interface AppendInline {
  readonly lease: RunLease;
  /** Identifies the invocation among those of the lease's delivery. */
  readonly invocation: string;
  /** The position of the last entry that the invocation knows. */
  readonly after: number;
  readonly entries: readonly NewInlineEntry[];
  readonly underWay: readonly StepKey[];
  /** The endpoint's capabilities, as {@link Run.capabilities}, where the append has some with options. */
  readonly capabilities: string | undefined;
}

/** @throws EngineError that names the field, or the limit */
export function readInlineAppend(
  value: unknown,
  origin: Omit<InlineOrigin, "runId">,
  limits: InlineLimits,
): AppendInline {
  const {
    lease: token,
    invocation,
    after,
    records,
    underWay,
    capabilities,
  } = Object(value) as Partial<InlineAppend>;
  const lease = typeof token === "string" ? parseLease(token) : undefined;
  if (!lease) throw invalid("lease", "expected the value of Perdure-Lease of a delivery");
  if (!Array.isArray(underWay)) throw invalid("underWay", "expected a list of steps");
  if (capabilities !== undefined && typeof capabilities !== "string")
    throw invalid("capabilities", "expected the endpoint's Perdure-Capabilities");
  return {
    lease,
    invocation: readInvocation(invocation, "invocation"),
    after: readAfter(after),
    entries: readInlineRecords(records, { ...origin, runId: lease.runId }, limits),
    underWay: underWay.map((step, at) => readStepKey(step, `underWay[${at}]`)),
    capabilities:
      capabilities === NO_OPTIONS
        ? undefined
        : capabilities && boundCapabilities(capabilities, limits.retries),
  };
}

/** Says nothing that the engine needs before the invocation's answer. */
const NO_OPTIONS = encodeCapabilities({ onCancel: false });

/** The longest name of an invocation. */
const MAX_INVOCATION_LENGTH = 100;

/** @throws EngineError `invalid_request` */
export function readInvocation(value: unknown, field: string): string {
  if (typeof value === "string" && value.length > 0 && value.length <= MAX_INVOCATION_LENGTH) return value;
  throw invalid(field, `expected a string of 1 to ${MAX_INVOCATION_LENGTH} characters`);
}

/** @throws EngineError `invalid_request` */
export function readAfter(value: unknown): number {
  if (Number.isSafeInteger(value) && (value as number) >= 1) return value as number;
  throw invalid(
    "after",
    `expected the number of entries that the invocation knows, got ${JSON.stringify(value)}`,
  );
}
