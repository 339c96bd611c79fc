import type { MessageFilter, Page, PageQuery, RunQuery } from "../lists.ts";
import { join, numbers, POSITION, type Sql, sql, strings } from "../tx.ts";

// A URL behind its scheme, and of that what is before and behind the first slash; a query isn't part of a path.
const REST = sql`substr(url, ${POSITION}(url, '://') + 3)`;
const BARE = sql`substr(${REST}, 1, ${POSITION}(${REST} || '?', '?') - 1)`;
export const HOST: Sql = sql`substr(${BARE}, 1, ${POSITION}(${BARE} || '/', '/') - 1)`;
export const PATH: Sql = sql`CASE WHEN ${POSITION}(${BARE}, '/') = 0 THEN '/'
  ELSE substr(${BARE}, ${POSITION}(${BARE}, '/')) END`;

/** The filters of what a message is; its table is named `messages`. */
export function whereMessage(where: Conditions, filter: MessageFilter): void {
  where.oneOf(sql`messages.id`, filter.messageIds);
  where.oneOf(sql`messages.url`, filter.urls);
  where.oneOf(sql`messages.topic_name`, filter.topics);
  where.oneOf(sql`messages.schedule`, filter.schedules);
  where.oneOf(sql`messages.queue`, filter.queues);
  where.labelled(sql`messages.labels`, filter.labels);
  where.oneOf(sql`messages.caller_ip`, filter.callerIps);
  where.oneOf(sql`messages.flow_key`, filter.flowKeys);
}

/** The filters of a list: what wasn't asked for adds nothing. */
export class Conditions {
  readonly #conditions: Sql[] = [];

  get sql(): Sql {
    return this.#conditions.length > 0 ? sql`WHERE ${join(this.#conditions, "AND")}` : sql``;
  }

  all(condition: Sql): void {
    this.#conditions.push(condition);
  }

  /** @param comparison a column and its operator */
  is(comparison: Sql, value: number | undefined): void {
    if (value !== undefined) this.all(sql`${comparison} ${value}`);
  }

  oneOf(column: Sql, values: readonly string[] | undefined): void {
    if (values) this.all(sql`${column} IN (${strings(values)})`);
  }

  oneOfNumbers(column: Sql, values: readonly number[] | undefined): void {
    if (values) this.all(sql`${column} IN (${numbers(values)})`);
  }

  startsWith(column: Sql, values: readonly string[] | undefined): void {
    if (!values) return;
    this.all(
      sql`EXISTS (SELECT 1 FROM (${strings(values)}) AS prefixes WHERE substr(${column}, 1, length(value)) = value)`,
    );
  }

  /** Runs by their ids and the times of their creation. */
  namedBy(runs: RunQuery["runs"]): void {
    if (!runs) return;
    this.oneOf(
      sql`id`,
      runs.map(({ id }) => id),
    );
    this.oneOf(
      sql`id || ' ' || created_at`,
      runs.map(({ id, createdAt }) => `${id} ${createdAt}`),
    );
  }

  labelled(column: Sql, labels: readonly string[] | undefined): void {
    if (!labels) return;
    this.all(
      sql`EXISTS (SELECT 1 FROM (${strings(labels)}) AS wanted WHERE ${POSITION}(${column}, ',' || value || ',') > 0)`,
    );
  }

  /** Behind the place at which the previous page ended. */
  after(place: Sql, { before, earliestFirst }: PageQuery): void {
    this.is(earliestFirst ? sql`${place} >` : sql`${place} <`, before);
  }

  anyOf(conditions: readonly Sql[] | undefined): void {
    if (conditions) this.all(join(conditions, "OR"));
  }
}

export function direction({ earliestFirst }: PageQuery): Sql {
  return earliestFirst ? sql`ASC` : sql`DESC`;
}

/** Bytes of a page's bodies above which it is shorter than was asked for. */
const PAGE_BYTES = 32 * 1024 * 1024;

/** One row more than asked for tells that there is another page. */
export async function page<Row, Item>(
  rows: readonly Row[],
  count: number,
  place: (row: Row) => number,
  toItem: (row: Row) => Promise<Item>,
  sizeOf: (item: Item) => number = () => 0,
): Promise<Page<Item>> {
  const items: Item[] = [];
  let size = 0;
  for (const row of rows.slice(0, count)) {
    const item = await toItem(row);
    size += sizeOf(item);
    if (items.length > 0 && size > PAGE_BYTES) break;
    items.push(item);
  }
  const last = rows[items.length - 1];
  const next = rows.length > items.length && last !== undefined ? place(last) : undefined;
  return { items, next };
}
