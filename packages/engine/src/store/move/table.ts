import type { SqlValue } from "../tx.ts";

/** The types of columns that both databases have. */
export type ColumnType = "integer" | "text" | "bytes";

export interface Column {
  readonly name: string;
  readonly type: ColumnType;
}

/** A table, as its database describes it. */
export interface Table {
  readonly name: string;
  readonly columns: readonly Column[];
  /** The columns of its primary key, which give its rows an order. */
  readonly key: readonly string[];
}

/**
 * The tables of PostgreSQL that a file has no need for: who works on the database now, and the index of the search, which
 * engines make anew.
 */
export const SHARED_ONLY: readonly string[] = [
  "engines",
  "schema_version",
  "search_runs",
  "search_texts",
  "terms",
];

/**
 * Describes how the tables of two databases differ.
 *
 * @returns one sentence a difference; none when the rows of one fit into the other
 */
export function differencesOf(source: readonly Table[], target: readonly Table[]): string[] {
  const names = [...new Set([...source, ...target].map(({ name }) => name))].sort();
  return names.flatMap((name) => {
    const [one, other] = [source, target].map((tables) => tables.find((table) => table.name === name));
    if (!one || !other) return [`only the ${one ? "source" : "target"} has the table "${name}"`];
    return shapeOf(one) === shapeOf(other)
      ? []
      : [`the table "${name}" is ${shapeOf(one)} in the source, and ${shapeOf(other)} in the target`];
  });
}

/** A table's columns in one order: a later migration may have added them at other places. */
function shapeOf({ columns, key }: Table): string {
  const named = columns.map(({ name, type }) => `${name} ${type}`).sort();
  return `(${named.join(", ")}; key ${key.join(", ")})`;
}

/** The values of a row, in the order of its table's columns. */
export type Row = readonly SqlValue[];

/** One side of a move: a database in a transaction of its owner's. */
export interface MoveEnd {
  readonly tables: readonly Table[];
  hasRows(table: Table): Promise<boolean>;
  /** The rows of a table in the order of its key. */
  rows(table: Table): AsyncIterable<Row>;
  /** Inserts rows. The owner of the transaction stores them. */
  write(table: Table, rows: AsyncIterable<Row>): Promise<void>;
  /** The highest number that a table has given to a row by itself; `undefined` for a table that gives none. */
  lastNumber(table: Table): Promise<number | undefined>;
  /** Makes the table number its next row after this one. */
  numberFrom(table: Table, last: number): Promise<void>;
}
