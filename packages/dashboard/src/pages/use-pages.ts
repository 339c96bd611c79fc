import { useCallback, useState } from "preact/hooks";
import { type ApiError, ask, queryOf } from "../api/http.ts";
import type { Interest } from "../api/live.ts";
import { type Resource, useResource } from "../api/resource.ts";
import { toast } from "../ui/toast.tsx";

/** A list by pages: the first one is live, and more are added at the end. */
export interface Pages<Item> extends Pick<Resource<unknown>, "error" | "reload"> {
  readonly data: readonly Item[] | undefined;
  readonly hasMore: boolean;
  readonly more: () => Promise<void>;
}

type Query = Parameters<typeof queryOf>[0];
type Page = Readonly<Record<string, unknown>> & { readonly cursor?: string };

interface PagesOptions<Item> {
  readonly target: string;
  readonly query: Query;
  /** The name of the list in an answer. */
  readonly list: string;
  readonly keyOf: (item: Item) => string;
  readonly live?: Interest;
}

interface Rest<Item> {
  readonly key: string;
  readonly items: readonly Item[];
  readonly cursor: string | undefined;
}

export function usePages<Item>({ target, query, list, keyOf, live }: PagesOptions<Item>): Pages<Item> {
  const key = target + queryOf(query);
  const first = useResource(key, (signal) => ask<Page>(key, { signal }), live);
  const [stored, setRest] = useState<Rest<Item>>();
  const rest = stored?.key === key ? stored : undefined;
  const items = (first.data?.[list] ?? []) as readonly Item[];
  const cursor = rest ? rest.cursor : first.data?.cursor;
  const more = useCallback(async () => {
    try {
      const page = await ask<Page>(target + queryOf({ ...query, cursor }));
      const next = (page[list] ?? []) as readonly Item[];
      setRest({ key, items: [...(rest?.items ?? items), ...next], cursor: page.cursor });
    } catch (error) {
      toast({ text: (error as ApiError).message, isError: true });
    }
  }, [target, query, cursor, list, key, rest, items]);
  return {
    data: first.data === undefined ? undefined : merge(items, rest?.items ?? [], keyOf),
    error: first.error,
    reload: first.reload,
    hasMore: cursor !== undefined && cursor !== "",
    more,
  };
}

/** New entries come in front of those that were loaded before; an entry in both lists is the new one. */
function merge<Item>(first: readonly Item[], rest: readonly Item[], keyOf: (item: Item) => string): Item[] {
  const keys = new Set(first.map(keyOf));
  return [...first, ...rest.filter((item) => !keys.has(keyOf(item)))];
}
