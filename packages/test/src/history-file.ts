import type { HistoryEntry } from "@perdure/core/testing";
import type { RunInfo } from "@perdure/engine";

/** The version of the format. */
export const HISTORY_VERSION = 1;

/** A run's history, as `perdure export` writes it. */
export interface HistoryFile {
  /** The format's version. */
  readonly perdureHistory: typeof HISTORY_VERSION;
  readonly workflowRunId: string;
  readonly workflowUrl: string;
  /** Milliseconds since 1970. */
  readonly workflowRunCreatedAt: number;
  readonly workflowState: RunInfo["workflowState"];
  /** The result as a JSON string; only of a run that has succeeded. */
  readonly workflowRunResponse?: string;
  /** The payload and the records, as the engine delivers them. */
  readonly history: readonly HistoryEntry[];
}

/** Returns a run's history in the format of `perdure export`. */
export function toHistoryFile(run: RunInfo, history: readonly HistoryEntry[]): HistoryFile {
  const { workflowRunId, workflowUrl, workflowRunCreatedAt, workflowState, workflowRunResponse } = run;
  return {
    perdureHistory: HISTORY_VERSION,
    workflowRunId,
    workflowUrl,
    workflowRunCreatedAt,
    workflowState,
    ...(workflowRunResponse === undefined ? {} : { workflowRunResponse }),
    history,
  };
}
