import { EngineError } from "../rules/engine-error.ts";
import { parseSearch } from "../rules/search.ts";
import type { RunQuery } from "../store/lists.ts";
import { DATES, toDates } from "./filters.ts";
import { about, list, single, someOf, TEXT, urls } from "./parameters.ts";
import type { Origin, Values } from "./route.ts";
import { runState } from "./run-schemas.ts";
import type { Service } from "./service.ts";

const words = single(
  {
    ...TEXT,
    description:
      "Words that the run's payload, step names, results and errors have, all of them; in quotation marks words in this order.",
  },
  (value, field) => (value.trim() === "" ? undefined : parseSearch(value, field)),
);

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
  search: words,
  state: someOf(runState.options),
  workflowRunId: list,
  workflowUrl: urls,
} as const;

type RunFilterValues = Values<typeof RUN_FILTERS>;

/**
 * Converts the filters of a query to filters of the store.
 *
 * @throws EngineError `forbidden` for a search by a token that sees no payloads; `not_possible_here` where the engine
 * doesn't search
 */
export async function toRunFilter(
  asked: RunFilterValues,
  { sender }: Origin,
  { hidePayloads, search }: Pick<Service, "hidePayloads" | "search">,
): Promise<Omit<RunQuery, "count">> {
  if (asked.search) {
    if (hidePayloads && sender.access === "read only") {
      throw new EngineError("forbidden", "forbidden: a token that sees no payloads may not search in them");
    }
    await search.settle();
  }
  return {
    search: asked.search,
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
