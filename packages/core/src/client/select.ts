import type { Query } from "../engine-client/http.ts";
import { checkNonEmptyString, isList } from "../util/check.ts";

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

const DEFAULT_COUNT = 100;

interface Part {
  readonly all?: true;
  readonly filter?: object;
  readonly count?: number;
  readonly cursor?: string;
}

/**
 * The query for what is selected; undefined for nothing at all.
 *
 * @param ids the name that ids have in the selection and in the query
 * @throws TypeError for a selection that would take everything by mistake
 */
export function select<Ids extends string>(
  selection: Selection<Ids, object>,
  ids: Ids,
  toQuery: (filter: object) => Query = (filter) => filter as Query,
): Query | undefined {
  if (typeof selection === "string" || isList(selection)) return byIds(selection, ids);
  if (ids in Object(selection))
    return byIds((selection as Record<Ids, string | readonly string[]>)[ids], ids);
  const { all, filter, count = DEFAULT_COUNT, cursor } = Object(selection) as Part;
  if (all === true) return { count, cursor };
  if (filter && Object.values(filter).some((value) => value !== undefined))
    return { ...toQuery(filter), count, cursor };
  throw new TypeError(`Give ${ids}, a filter that isn't empty, or { all: true }.`);
}

function byIds(given: string | readonly string[], name: string): Query | undefined {
  const list = [given].flat();
  for (const id of list) checkNonEmptyString(`An id in ${name}`, id);
  return list.length > 0 ? { [name]: list } : undefined;
}

/** What an answer says under one name, and where the next part of it begins, if there is one. */
export function pickPage<Answer extends { readonly cursor?: string }, Name extends keyof Answer>(
  name: Name,
  { [name]: value, cursor }: Answer,
): Pick<Answer, Name | "cursor"> {
  return { [name]: value, ...(cursor ? { cursor } : {}) } as Pick<Answer, Name | "cursor">;
}
