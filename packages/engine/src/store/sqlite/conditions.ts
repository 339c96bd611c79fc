import type { SQLInputValue } from "node:sqlite";
import type { MessageFilter, Page, PageQuery, RunQuery } from "../lists.ts";

// A URL behind its scheme, and of that what is before and behind the first slash; a query isn't part of a path.
const REST = "substr(url, instr(url, '://') + 3)";
const BARE = `substr(${REST}, 1, instr(${REST} || '?', '?') - 1)`;
export const HOST: string = `substr(${BARE}, 1, instr(${BARE} || '/', '/') - 1)`;
export const PATH: string = `CASE WHEN instr(${BARE}, '/') = 0 THEN '/' ELSE substr(${BARE}, instr(${BARE}, '/')) END`;

/** The filters of what a message is; its table is named `messages`. */
export function whereMessage(where: Conditions, filter: MessageFilter): void {
  where.oneOf("messages.id", filter.messageIds);
  where.oneOf("messages.url", filter.urls);
  where.oneOf("messages.topic_name", filter.topics);
  where.oneOf("messages.schedule", filter.schedules);
  where.oneOf("messages.queue", filter.queues);
  where.labelled("messages.labels", filter.labels);
  where.oneOf("messages.caller_ip", filter.callerIps);
  where.oneOf("messages.flow_key", filter.flowKeys);
}

/** The filters of a list: what wasn't asked for adds nothing. */
export class Conditions {
  readonly values: SQLInputValue[] = [];
  readonly #conditions: string[] = [];

  get sql(): string {
    return this.#conditions.length > 0 ? `WHERE ${this.#conditions.join(" AND ")}` : "";
  }

  is(comparison: string, value: number | undefined): void {
    if (value === undefined) return;
    this.#conditions.push(`${comparison} ?`);
    this.values.push(value);
  }

  oneOf(column: string, values: readonly (string | number)[] | undefined): void {
    this.within(column, "SELECT value FROM json_each(?)", values);
  }

  /** One parameter, however many there are: conditions side by side would soon be too many for SQLite. */
  startsWith(column: string, values: readonly string[] | undefined): void {
    if (!values) return;
    this.#conditions.push(
      `EXISTS (SELECT 1 FROM json_each(?) WHERE substr(${column}, 1, length(value)) = value)`,
    );
    this.values.push(JSON.stringify(values));
  }

  /** A column's value among those that a query finds by the list of `values`: one parameter, however many there are. */
  within(column: string, query: string, values: readonly (string | number)[] | undefined): void {
    if (!values) return;
    this.#conditions.push(`${column} IN (${query})`);
    this.values.push(JSON.stringify(values));
  }

  /** Runs by their ids and the times of their creation. */
  namedBy(runs: RunQuery["runs"]): void {
    const names = runs?.map(({ id, createdAt }) => [id, createdAt]);
    if (!names) return;
    this.#conditions.push("(id, created_at) IN (SELECT value ->> 0, value ->> 1 FROM json_each(?))");
    this.values.push(JSON.stringify(names));
  }

  labelled(column: string, labels: readonly string[] | undefined): void {
    if (!labels) return;
    this.#conditions.push(
      `EXISTS (SELECT 1 FROM json_each(?) WHERE instr(${column}, ',' || value || ',') > 0)`,
    );
    this.values.push(JSON.stringify(labels));
  }

  /** Behind the place at which the previous page ended. */
  after(place: string, { before, earliestFirst }: PageQuery): void {
    this.is(earliestFirst ? `${place} >` : `${place} <`, before);
  }

  anyOf(conditions: readonly string[] | undefined): void {
    if (conditions) this.#conditions.push(`(${conditions.map((one) => `(${one})`).join(" OR ")})`);
  }
}

export function direction({ earliestFirst }: PageQuery): string {
  return earliestFirst ? "ASC" : "DESC";
}

/** Bytes of a page's bodies above which it is shorter than was asked for. */
const PAGE_BYTES = 32 * 1024 * 1024;

/** One row more than asked for tells that there is another page. */
export function page<Row, Item>(
  rows: readonly Row[],
  count: number,
  place: (row: Row) => number,
  toItem: (row: Row) => Item,
  sizeOf: (item: Item) => number = () => 0,
): Page<Item> {
  const items: Item[] = [];
  let size = 0;
  for (const row of rows.slice(0, count)) {
    const item = toItem(row);
    size += sizeOf(item);
    if (items.length > 0 && size > PAGE_BYTES) break;
    items.push(item);
  }
  const last = rows[items.length - 1];
  const next = rows.length > items.length && last !== undefined ? place(last) : undefined;
  return { items, next };
}
