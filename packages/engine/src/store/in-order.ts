// Array methods for asynchronous work. In a transaction one item usually comes after the other.

export async function map<Item, Result>(
  items: readonly Item[],
  work: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = [];
  for (const item of items) results.push(await work(item));
  return results;
}

export async function flatMap<Item, Result>(
  items: readonly Item[],
  work: (item: Item) => Promise<readonly Result[]>,
): Promise<Result[]> {
  return (await map(items, work)).flat() as Result[];
}

export async function filter<Item>(
  items: readonly Item[],
  test: (item: Item) => Promise<boolean>,
): Promise<Item[]> {
  const kept: Item[] = [];
  for (const item of items) if (await test(item)) kept.push(item);
  return kept;
}

/**
 * Maps items whose work doesn't depend on each other: the statements of all of them are on their way to the database at the
 * same time, and it runs them in one order or another. Ends when the work on every item has ended, also when one has failed:
 * the caller may then undo all of it.
 */
export async function mapSideBySide<Item, Result>(
  items: readonly Item[],
  work: (item: Item, at: number) => Promise<Result>,
): Promise<Result[]> {
  const outcomes = await Promise.allSettled(items.map(work));
  return outcomes.map((outcome) => {
    if (outcome.status === "rejected") throw outcome.reason;
    return outcome.value;
  });
}

/**
 * Divides items into rounds in which no key comes twice: the first items of all keys, then the second ones.
 *
 * @returns the places of the items
 */
export function rounds<Item>(items: readonly Item[], keyOf: (item: Item) => string): number[][] {
  const seen = new Map<string, number>();
  const made: number[][] = [];
  for (const [at, item] of items.entries()) {
    const key = keyOf(item);
    const round = seen.get(key) ?? 0;
    seen.set(key, round + 1);
    const places = made[round];
    if (places) places.push(at);
    else made.push([at]);
  }
  return made;
}

/** Maps items side by side, those of one key one after the other. @returns the results in the order of the items */
export async function mapByKey<Item, Result>(
  items: readonly Item[],
  keyOf: (item: Item) => string | number,
  work: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const groups = new Map<string | number, number[]>();
  for (const [at, item] of items.entries()) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group) group.push(at);
    else groups.set(key, [at]);
  }
  const results: Result[] = [];
  await mapSideBySide([...groups.values()], async (group) => {
    for (const at of group) results[at] = await work(items[at] as Item);
  });
  return results;
}
