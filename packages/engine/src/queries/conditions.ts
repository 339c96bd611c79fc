import type { MessageFilter, PageQuery, RunQuery } from "../store/lists.ts";
import { join, numbers, type Sql, sql, strings } from "../store/tx.ts";

/** The conditions of the filters by a message's properties, on a table named `messages`. */
export function whereMessage(where: Conditions, filter: MessageFilter): void {
  where.oneOf(sql`messages.id`, filter.messageIds);
  where.oneOf(sql`messages.url`, filter.urls);
  where.oneOf(sql`messages.url_group`, filter.urlGroups);
  where.oneOf(sql`messages.schedule`, filter.schedules);
  where.oneOf(sql`messages.queue`, filter.queues);
  if (filter.labels) {
    where.all(
      sql`messages.seq IN (SELECT message FROM message_labels WHERE label IN (${strings(filter.labels)}))`,
    );
  }
  where.oneOf(sql`messages.caller_ip`, filter.callerIps);
  where.oneOf(sql`messages.flow_key`, filter.flowKeys);
}

/** The conditions of a list's filters. A filter that isn't set adds none. */
export class Conditions {
  readonly #conditions: Sql[] = [];

  get sql(): Sql {
    return this.#conditions.length > 0 ? sql`WHERE ${join(this.#conditions, "AND")}` : sql``;
  }

  get isEmpty(): boolean {
    return this.#conditions.length === 0;
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

  /** Like {@link startsWith}, by ranges of the column's index. */
  beginsWith(column: Sql, values: readonly string[] | undefined): void {
    this.anyOf(values?.map((value) => rangeOf(column, value)));
  }

  beginsWithNone(column: Sql, values: readonly string[] | undefined): void {
    for (const value of values ?? []) this.all(sql`NOT (${rangeOf(column, value)})`);
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

  /** The condition that an item comes after the end of the previous page. */
  after(place: Sql, { before, earliestFirst }: PageQuery): void {
    this.is(earliestFirst ? sql`${place} >` : sql`${place} <`, before);
  }

  anyOf(conditions: readonly Sql[] | undefined): void {
    if (conditions) this.all(join(conditions, "OR"));
  }
}

/** The last character: a string that begins with a prefix comes before the prefix with this character. */
const LAST = "\u{10ffff}";

/** The values that begin with a prefix. Both databases compare ids by their bytes. */
function rangeOf(column: Sql, prefix: string): Sql {
  return sql`${column} >= ${prefix} AND ${column} < ${prefix + LAST}`;
}

export function direction({ earliestFirst }: PageQuery): Sql {
  return earliestFirst ? sql`ASC` : sql`DESC`;
}

/** The size of an item of a list. */
interface Size {
  /** Bytes of its bodies. */
  readonly bytes?: number;
  /** Entries of its history. */
  readonly entries?: number;
}

/** A page above one of these sizes has fewer items than the caller asked for. */
const PAGE_BYTES = 32 * 1024 * 1024;
const PAGE_ENTRIES = 10_000;

/** Returns the rows of a page. The query has read one more row, which says that there is another page. */
export function page<Row>(
  rows: readonly Row[],
  count: number,
  place: (row: Row) => number,
  sizeOf: (row: Row) => Size = () => ({}),
): { readonly rows: readonly Row[]; readonly next: number | undefined } {
  let shown = 0;
  let [bytes, entries] = [0, 0];
  for (const row of rows.slice(0, count)) {
    const size = sizeOf(row);
    bytes += size.bytes ?? 0;
    entries += size.entries ?? 0;
    if (shown > 0 && (bytes > PAGE_BYTES || entries > PAGE_ENTRIES)) break;
    shown++;
  }
  const last = rows[shown - 1];
  return {
    rows: rows.slice(0, shown),
    next: rows.length > shown && last !== undefined ? place(last) : undefined,
  };
}
