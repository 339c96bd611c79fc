/** Milliseconds for which one request may keep all other requests waiting. */
const MAX_SLICE_MS = 10;

/** Resolves at once, or, after a long turn, once other requests have had theirs. */
export type YieldPoint = () => Promise<void> | undefined;

/** Cuts one request's work into turns: call the result between any two parts of it. */
export function createTimeSlices(): YieldPoint {
  let began = performance.now();
  return () => {
    if (performance.now() - began < MAX_SLICE_MS) return undefined;
    return nextTurn(() => {
      began = performance.now();
    });
  };
}

/** Maps items, of which there may be thousands, in turns. */
export async function mapInSlices<Item, Result>(
  items: Iterable<Item>,
  work: (item: Item) => Result,
  pause: YieldPoint = createTimeSlices(),
): Promise<Result[]> {
  const results: Result[] = [];
  for (const item of items) {
    await pause();
    results.push(work(item));
  }
  return results;
}

/** Groups rows, of which there may be thousands, in turns. */
export async function groupInSlices<Row, Key, Value>(
  rows: readonly Row[],
  of: (row: Row) => readonly [key: Key, value: Value],
  pause: YieldPoint = createTimeSlices(),
): Promise<Map<Key, Value[]>> {
  const groups = new Map<Key, Value[]>();
  for (const row of rows) {
    await pause();
    const [key, value] = of(row);
    const group = groups.get(key);
    if (group) group.push(value);
    else groups.set(key, [value]);
  }
  return groups;
}

/** The requests whose work waits for its next turn, in their order. */
const waiting: (() => void)[] = [];

/**
 * Waits for a turn. Each round of the event loop has one turn, however many requests wait: otherwise each of them would
 * keep small requests waiting for its slice.
 */
function nextTurn(begin: () => void): Promise<void> {
  return new Promise((resolve) => {
    waiting.push(() => {
      begin();
      resolve();
    });
    if (waiting.length === 1) setImmediate(takeTurn);
  });
}

function takeTurn(): void {
  waiting.shift()?.();
  if (waiting.length > 0) setImmediate(takeTurn);
}
