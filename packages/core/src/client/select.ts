import type { Query } from "../border/api.ts";

/** What can be asked of runs and dead letters alike. Within a list any one may match; all that are given must. */
export interface CommonFilters {
  /** A date, or milliseconds since 1970; inclusive, as `toDate`. */
  readonly fromDate?: Date | number;
  /** A date, or milliseconds since 1970; inclusive. */
  readonly toDate?: Date | number;
  /** Of whoever has started the run. */
  readonly callerIp?: string | readonly string[];
  /** One of the run's labels. */
  readonly label?: string | readonly string[];
  /** Of the run's flow control. */
  readonly flowControlKey?: string | readonly string[];
}

/** One, several by their ids, those that match a filter, or all. The last two take `count` at most (100). */
export type Selection<Ids extends string, Filter> =
  | string
  | readonly string[]
  | { readonly [Key in Ids]: string | readonly string[] }
  | { readonly filter: Filter; readonly count?: number; readonly cursor?: string }
  | { readonly all: true; readonly count?: number; readonly cursor?: string };

/** What a selection comes to: nothing at all, or a query. */
export type Selected = { readonly kind: "none" } | { readonly kind: "query"; readonly query: Query };

const COUNT = 100;

/**
 * @param ids the name that ids have in the selection and in the query
 * @throws TypeError for a selection that would take everything by mistake
 */
export function select<Ids extends string>(
  selection: Selection<Ids, object>,
  ids: Ids,
  toQuery: (filter: object) => Query = (filter) => filter as Query,
): Selected {
  if (typeof selection === "string" || isList(selection)) return byIds([selection].flat(), ids);
  if (ids in selection)
    return byIds([(selection as Record<Ids, string | readonly string[]>)[ids]].flat(), ids);
  const { count = COUNT, cursor } = selection as { count?: number; cursor?: string };
  if ("all" in selection && selection.all === true) return { kind: "query", query: { count, cursor } };
  if (!("filter" in selection) || isEmpty(selection.filter)) {
    throw new TypeError(`Say which: ${ids}, a filter with at least one condition, or { all: true }.`);
  }
  return { kind: "query", query: { ...toQuery(selection.filter), count, cursor } };
}

function byIds(list: readonly string[], name: string): Selected {
  if (list.length === 0) return { kind: "none" };
  for (const id of list)
    if (typeof id !== "string" || id === "") throw new TypeError(`${name} must not hold an empty id.`);
  return { kind: "query", query: { [name]: list } };
}

function isEmpty(filter: object): boolean {
  return Object.values(filter).every((value) => value === undefined);
}

function isList(selection: unknown): selection is readonly string[] {
  return Array.isArray(selection);
}
