import type { HistoryEntry } from "@perdure/core/protocol";
import type { RunInfo } from "./api/runs.ts";
import { REDACTED } from "./http/serializers.ts";

/** The version of the format. A change that older readers misread gets the next number. */
export const HISTORY_VERSION = 1;

/** A run's history in a file, as `perdure export` writes it and `assertReplays` of `@perdure/test` reads it. */
export interface HistoryFile {
  /** The format's version: 1. */
  readonly perdureHistory: typeof HISTORY_VERSION;
  readonly workflowRunId: string;
  /** The endpoint's URL. */
  readonly workflowUrl: string;
  /** Milliseconds since 1970. */
  readonly workflowRunCreatedAt: number;
  readonly workflowState: RunInfo["workflowState"];
  /** The result as a JSON string; only of a run that has succeeded and whose bodies aren't redacted. */
  readonly workflowRunResponse?: string;
  /** The payload and the records of steps, as the engine delivers them. */
  readonly history: readonly HistoryEntry[];
}

/**
 * Returns a run's history in the format of `perdure export`.
 *
 * @example
 * ```ts
 * const history = await engine.runs.history("wfr_order-7", { ended: true });
 * const file = toHistoryFile(await engine.runs.get("wfr_order-7"), history);
 * ```
 */
export function toHistoryFile(run: RunInfo, history: readonly HistoryEntry[]): HistoryFile {
  const { workflowRunId, workflowUrl, workflowRunCreatedAt, workflowState, workflowRunResponse } = run;
  return {
    perdureHistory: HISTORY_VERSION,
    workflowRunId,
    workflowUrl,
    workflowRunCreatedAt,
    workflowState,
    ...(workflowRunResponse === undefined || isRedacted(workflowRunResponse) ? {} : { workflowRunResponse }),
    history,
  };
}

function isRedacted(text: string): boolean {
  return text.startsWith(REDACTED);
}
