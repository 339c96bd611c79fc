import type { MessageQuery } from "../store/lists.ts";
import type { Store } from "./store.ts";

/** Messages that one transaction cancels. */
const AT_ONCE = 500;

/** Filters of messages, or their ids, which replace all filters. */
export type MessageSelection =
  | { readonly ids: readonly string[] }
  | { readonly filter: Omit<MessageQuery, "count" | "before">; readonly count: number };

/**
 * Cancels the selected messages, in several transactions, between which other requests have their turns. Messages that are
 * published meanwhile are newer, and stay.
 *
 * @returns how many
 */
export async function cancelAllMessages(
  store: Pick<Store, "cancelMessages">,
  selection: MessageSelection,
): Promise<number> {
  if ("filter" in selection) return cancelMatching(store, selection.filter, selection.count);
  const { ids } = selection;
  let done = 0;
  for (let at = 0; at < ids.length; at += AT_ONCE) {
    const messageIds = ids.slice(at, at + AT_ONCE);
    done += await cancelMatching(store, { messageIds }, messageIds.length);
  }
  return done;
}

async function cancelMatching(
  store: Pick<Store, "cancelMessages">,
  filter: Omit<MessageQuery, "count" | "before">,
  most: number,
): Promise<number> {
  let done = 0;
  let before: number | undefined;
  do {
    const count = Math.min(AT_ONCE, most - done);
    const { canceled, next } = await store.cancelMessages({ ...filter, count, before });
    done += canceled;
    before = next;
  } while (before !== undefined && done < most);
  return done;
}
