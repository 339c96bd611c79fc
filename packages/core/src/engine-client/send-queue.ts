import { withTimeout } from "../util/timeout.ts";
import { isStatus } from "./api.ts";

/** Characters of one request, unless a single item has more: the engine limits a request's bytes. */
const MAX_REQUEST_LENGTH = 512 * 1024;
/** A shorter item counts as one of so many characters: engines limit the items of a request, too. */
const MIN_ITEM_LENGTH = 2048;
/** A request without an answer must not hold up others for longer: they go on in further requests. */
const MAX_HOLD_UP_SECONDS = 2;
/** Statuses of a request that the engine refuses for one of its items, for their size, or for their number. */
const DIVISIBLE_STATUSES = [400, 412, 413];

/** An item of a request. */
interface Item {
  readonly body?: string | undefined;
}

/** An item whose caller waits for its answer. */
interface Entry<Sent, Answer> {
  readonly item: Sent;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Sends each item at once while fewer than `maxInFlight` requests wait for their answers. The items that arrive meanwhile
 * travel together in the next request.
 *
 * Each item gets the answer that it would get alone: when the engine refuses a shared request, each is sent again, alone.
 *
 * @param request sends items, and returns an answer for each
 * @returns a function that returns the answer for an item, and rejects as `request` does
 */
export function createSendQueue<Sent extends Item, Answer>(
  maxInFlight: number,
  request: (items: readonly Sent[]) => Promise<readonly Answer[]>,
): (item: Sent) => Promise<Answer> {
  const queue: Entry<Sent, Answer>[] = [];
  let inFlight = 0;
  const sendTogether = async (entries: readonly Entry<Sent, Answer>[]): Promise<void> => {
    try {
      const answers = await request(entries.map(({ item }) => item));
      for (const [at, { resolve }] of entries.entries()) resolve(answers[at] as Answer);
    } catch (error) {
      const isShared = entries.length > 1 && DIVISIBLE_STATUSES.some((status) => isStatus(error, status));
      await Promise.all(entries.map((entry) => (isShared ? sendTogether([entry]) : entry.reject(error))));
    }
  };
  const send = async (): Promise<void> => {
    if (inFlight === maxInFlight) return;
    inFlight++;
    while (queue.length > 0)
      await withTimeout(MAX_HOLD_UP_SECONDS, "", sendTogether(takeEntries(queue))).catch(() => {});
    inFlight--;
  };
  return (item) =>
    new Promise((resolve, reject) => {
      queue.push({ item, resolve, reject });
      void send();
    });
}

function takeEntries<Queued extends { readonly item: Item }>(queue: Queued[]): Queued[] {
  let room = MAX_REQUEST_LENGTH;
  const end = queue.findIndex(({ item: { body = "" } }) => {
    room -= Math.max(body.length, MIN_ITEM_LENGTH);
    return room < 0;
  });
  return queue.splice(0, end < 0 ? queue.length : Math.max(end, 1));
}
