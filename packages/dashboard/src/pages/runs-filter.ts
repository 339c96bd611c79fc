import { queryOf } from "../api/http.ts";

/** The filters of runs, as the address has them: the same names as in the engine's API. */
export const FILTERS = [
  "state",
  "workflowUrl",
  "label",
  "idPrefix",
  "search",
  "flowControlKey",
  "excludeState",
  "excludeWorkflowUrl",
  "excludeLabel",
  "excludeIdPrefix",
  "fromDate",
  "toDate",
] as const;

export type FilterName = (typeof FILTERS)[number];

/** The filters of an address, for a request. */
export function filtersOf(query: URLSearchParams): Record<string, readonly string[]> {
  return Object.fromEntries(
    FILTERS.flatMap((name) => {
      const values = query.getAll(name).filter((value) => value !== "");
      return values.length > 0 ? [[name, values]] : [];
    }),
  );
}

export function hasFilters(query: URLSearchParams): boolean {
  return queryOf(filtersOf(query)) !== "";
}

/** How a filter is named in a chip. */
export const FILTER_WORDS: Readonly<Record<FilterName, string>> = {
  state: "State",
  workflowUrl: "Workflow",
  label: "Label",
  idPrefix: "Id begins with",
  search: "Text",
  flowControlKey: "Flow control",
  excludeState: "Not state",
  excludeWorkflowUrl: "Not workflow",
  excludeLabel: "Not label",
  excludeIdPrefix: "Id doesn't begin with",
  fromDate: "From",
  toDate: "To",
};
