import {
  type ColumnType,
  type EachValue,
  type ForEach,
  type Part,
  SearchedWords,
  Sql,
  type SqlValue,
  sql,
  ValueList,
} from "../tx.ts";
import { toVector } from "./dialect.ts";
import { encodeText } from "./text.ts";

const TYPES: Readonly<Record<ColumnType, string>> = {
  number: "bigint",
  string: "text",
  bytes: "bytea",
  strings: "json",
  words: "text",
};

/**
 * Returns one statement for all rows, which it reads from one parameter: measured, for 64 insertions, a fourth of the time. One row
 * alone has a parameter for each of its values.
 */
export function toOneStatement({ columns, rows, statement }: ForEach): Sql {
  const [row, ...more] = rows;
  if (row && more.length === 0) return statement(bound(columns, row) as never, NOTHING, NOTHING);
  const table = toTable(columns, rows, "each");
  return statement(rowOf(columns, "each") as never, sql` FROM ${table}`, sql` CROSS JOIN ${table}`);
}

const NOTHING = sql``;

/** The values of a row, each with its type. */
function bound(columns: ForEach["columns"], row: ForEach["rows"][number]): Readonly<Record<string, Part>> {
  const list = Object.entries(columns);
  return Object.fromEntries(list.map(([column, type]) => [column, toTyped(row[column] ?? null, type)]));
}

function toTyped(value: EachValue, type: ColumnType): Part {
  if (value instanceof ValueList || value instanceof SearchedWords) return value;
  return sql`CAST(${value} AS ${constant(TYPES[type])})`;
}

type Columns<Name extends string> = Readonly<Record<Name, ColumnType>>;

/** The rows as a table of this name, for a `FROM`. */
export function toTable<Name extends string>(
  columns: Columns<Name>,
  rows: readonly Readonly<Record<Name, EachValue>>[],
  name: "each" | "record",
): Sql {
  const list = Object.entries<ColumnType>(columns);
  const types = constant(list.map(([column, type]) => `"${column}" ${TYPES[type]}`).join(", "));
  const as = constant(name);
  // PostgreSQL takes a function to return 100 rows, and reads a whole table for so many. It takes a tenth of them for a limit.
  return sql`(SELECT * FROM json_to_recordset(CAST(${toJson(columns, rows)} AS json)) AS each (${types}) LIMIT ${rows.length}) AS ${as}`;
}

/** The columns of {@link toTable}, as parts of a statement. */
export function rowOf<Name extends string>(
  columns: Columns<Name>,
  name: "each" | "record",
): Readonly<Record<Name, Part>> {
  const list = Object.entries<ColumnType>(columns);
  const parts = list.map(([column, type]) => [column, toPart(`${name}."${column}"`, type)]);
  return Object.fromEntries(parts) as Readonly<Record<Name, Part>>;
}

function toPart(column: string, type: ColumnType): Part {
  switch (type) {
    case "strings":
      return constant(`SELECT value FROM json_array_elements_text(${column}) AS list (value)`);
    case "words":
      return constant(`CAST(${column} AS tsvector)`);
    case "number":
    case "string":
    case "bytes":
      return constant(column);
    default:
      return type satisfies never;
  }
}

function constant(text: string): Sql {
  return new Sql([text], []);
}

function toJson(columns: ForEach["columns"], rows: ForEach["rows"]): string {
  const names = Object.keys(columns);
  return JSON.stringify(
    rows.map((row) => {
      // Objects whose fields are added in one order share their shape: twice as fast as Object.fromEntries.
      const object: Record<string, unknown> = {};
      for (const name of names) object[name] = toValue(row[name] ?? null);
      return object;
    }),
  );
}

function toValue(value: EachValue): SqlValue | readonly SqlValue[] {
  if (value instanceof ValueList) return value.values.map((one) => toValue(one) as SqlValue);
  if (value instanceof SearchedWords) return toVector(value.words);
  if (value instanceof Uint8Array) return `\\x${Buffer.from(value).toString("hex")}`;
  return typeof value === "string" ? encodeText(value) : value;
}
