import type { RunQuery } from "../store/lists.ts";
import { DATES, toDates } from "./filters.ts";
import { about, list, someOf, urls } from "./parameters.ts";
import type { Values } from "./route.ts";
import { runState } from "./run-schemas.ts";

/**
 * Filters of runs. A run must match every filter that is set, and none of those that exclude; a filter with
 * several values matches one of them.
 */
export const RUN_FILTERS = {
  ...DATES,
  callerIp: list,
  excludeIdPrefix: list,
  excludeLabel: list,
  excludeState: someOf(runState.options),
  excludeWorkflowUrl: urls,
  flowControlKey: list,
  idPrefix: about(list, "Beginnings of run ids."),
  label: list,
  state: someOf(runState.options),
  workflowRunId: list,
  workflowUrl: urls,
} as const;

type RunFilterValues = Values<typeof RUN_FILTERS>;

/** Converts the filters of a query to filters of the store. */
export function toRunFilter(asked: RunFilterValues): Omit<RunQuery, "count"> {
  return {
    ids: asked.workflowRunId,
    idPrefixes: asked.idPrefix,
    urls: asked.workflowUrl,
    states: asked.state,
    labels: asked.label,
    callerIps: asked.callerIp,
    flowKeys: asked.flowControlKey,
    without: {
      idPrefixes: asked.excludeIdPrefix,
      urls: asked.excludeWorkflowUrl,
      states: asked.excludeState,
      labels: asked.excludeLabel,
    },
    ...toDates(asked),
  };
}

/** True for a query that sets at least one filter. */
export function hasRunFilter(asked: RunFilterValues): boolean {
  return Object.keys(RUN_FILTERS).some((name) => asked[name as keyof RunFilterValues] !== undefined);
}
