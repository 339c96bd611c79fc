import type { Query } from "../engine-client/http.ts";
import { checkNonEmptyString, isList } from "../util/check.ts";

/** Filters for runs and dead letters. An entry must match all of them; a list matches if one of its values does. */
export interface CommonFilters {
  /** A date, or milliseconds since 1970; inclusive, as `toDate`. */
  readonly fromDate?: Date | number;
  /** A date, or milliseconds since 1970; inclusive. */
  readonly toDate?: Date | number;
  /** IP address of the client that started the run. */
  readonly callerIp?: string | readonly string[];
  /** One of the run's labels. */
  readonly label?: string | readonly string[];
  /** Key of the run's flow control. */
  readonly flowControlKey?: string | readonly string[];
}

/** Selects one, several by their ids, all that match a filter, or all. The last two select at most `count` (100). */
export type Selection<Ids extends string, Filter> =
  | string
  | readonly string[]
  | { readonly [Key in Ids]: string | readonly string[] }
  | { readonly filter: Filter; readonly count?: number; readonly cursor?: string }
  | { readonly all: true; readonly count?: number; readonly cursor?: string };

const DEFAULT_COUNT = 100;

interface Bulk {
  readonly all?: true;
  readonly filter?: object;
  readonly count?: number;
  readonly cursor?: string;
}

/**
 * Returns the query of a selection; undefined for an empty list of ids.
 *
 * @param ids the name of the ids in the selection and in the query
 * @throws TypeError for an empty filter, which would select everything by mistake
 */
export function select<Ids extends string>(
  selection: Selection<Ids, object>,
  ids: Ids,
  toQuery: (filter: object) => Query = (filter) => filter as Query,
): Query | undefined {
  if (typeof selection === "string" || isList(selection)) return byIds(selection, ids);
  if (ids in Object(selection))
    return byIds((selection as Record<Ids, string | readonly string[]>)[ids], ids);
  const { all, filter, count = DEFAULT_COUNT, cursor } = Object(selection) as Bulk;
  if (all === true) return { count, cursor };
  if (filter && Object.values(filter).some((value) => value !== undefined))
    return { ...toQuery(filter), count, cursor };
  throw new TypeError(`Pass ${ids}, a non-empty filter, or { all: true }.`);
}

function byIds(ids: string | readonly string[], name: string): Query | undefined {
  const list = [ids].flat();
  for (const id of list) checkNonEmptyString(`An id in ${name}`, id);
  return list.length > 0 ? { [name]: list } : undefined;
}

/** Picks one property of an answer, and the cursor of the next page if there is one. */
export function pickPage<Answer extends { readonly cursor?: string }, Name extends keyof Answer>(
  name: Name,
  { [name]: value, cursor }: Answer,
): Pick<Answer, Name | "cursor"> {
  return { [name]: value, ...(cursor ? { cursor } : {}) } as Pick<Answer, Name | "cursor">;
}
