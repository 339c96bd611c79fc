import type { InlineNews, InlineRecord } from "../protocol/inline.ts";
import { resultId, type StepRecord } from "../protocol/step.ts";
import { encodeUtf8 } from "../util/bytes.ts";
import { WorkflowError } from "../util/errors.ts";
import { recordOf } from "./invocation.ts";
import type { PendingStep } from "./step-matcher.ts";

/** A record that the engine hasn't stored yet. */
export interface Line {
  readonly record: InlineRecord;
  readonly step: PendingStep;
  /** The workflow waits for the engine's answer. */
  readonly awaited: boolean;
  /** Called once the engine has stored the record. */
  stored(news: OwnNews): void;
}

export type OwnNews = Extract<InlineNews, { own: number }>;

/** The plan of a step: the engine does it, or its work begins. */
export function planOf({ step, key: { nth } }: PendingStep, targetStep: number): StepRecord {
  return { stepId: 0, ...recordOf(step), concurrent: 1, targetStep, nth: nth > 1 ? nth : undefined };
}

/** Creates the error for a record that the engine always refuses, however often it is sent. */
export function refusedRecord({ record, step }: Line, reason: string): WorkflowError {
  const bytes = encodeUtf8(JSON.stringify(record)).length;
  const part = `the ${NOUNS[record.kind] ?? record.kind} of step "${step.step.name}" (${bytes} bytes)`;
  return refusedAppend(reason, part);
}

/** Words for the kinds of records that aren't words for themselves. */
const NOUNS: Partial<Record<InlineRecord["kind"], string>> = { ask: "request", attempt: "failed attempt" };

export function refusedAppend(reason: string, part = "the append"): WorkflowError {
  return new WorkflowError("step_refused", `The engine refuses ${part}: ${reason}`);
}

/** Returns the step id of a record. */
export function idOf({ record }: Line): number | undefined {
  return record.kind === "attempt" ? undefined : resultId(record.record);
}

export function recordsOf(lines: readonly Line[]): InlineRecord[] {
  return lines.map(({ record }) => record);
}

export function resultOf({ record }: Line): StepRecord[] {
  return record.kind === "result" ? [record.record] : [];
}
