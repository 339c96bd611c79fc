import type postgres from "postgres";
import { decodeText, encodeText } from "../postgres/text.ts";
import type { SqlValue } from "../tx.ts";
import { linesOf, readLine } from "./lines.ts";
import { type ColumnType, type MoveEnd, type Row, SHARED_ONLY, type Table } from "./table.ts";

const SQL_TYPES: Readonly<Record<ColumnType, string>> = { integer: "bigint", text: "text", bytes: "bytea" };
const TYPES = new Map(Object.entries(SQL_TYPES).map(([own, name]) => [name, own as ColumnType]));

interface ColumnRow {
  readonly table: string;
  readonly column: string;
  readonly type: string;
  /** The place in the primary key, from 1; null for other columns. */
  readonly pk: number | null;
  readonly numbered: boolean;
}

const COLUMNS = `SELECT pg_class.relname AS table, attname AS column, format_type(atttypid, NULL) AS type,
    array_position(CAST(pg_index.indkey AS smallint[]), attnum) AS pk, attidentity <> '' AS numbered
  FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid
  LEFT JOIN pg_index ON pg_index.indrelid = pg_class.oid AND indisprimary
  WHERE relkind = 'r' AND relnamespace = CAST(current_schema() AS regnamespace) AND attnum > 0 AND NOT attisdropped
  ORDER BY relname COLLATE "C", attnum`;

/** A side of a move that is a schema of a PostgreSQL database. @param sql a transaction */
export async function postgresEnd(sql: postgres.TransactionSql): Promise<MoveEnd> {
  const rows = (await sql.unsafe(COLUMNS)) as unknown as readonly ColumnRow[];
  const own = rows.filter(({ table }) => !SHARED_ONLY.includes(table));
  const numbered = new Map(own.filter((row) => row.numbered).map(({ table, column }) => [table, column]));
  return {
    tables: tablesOf(own),
    hasRows: async ({ name }) => (await sql.unsafe(`SELECT 1 FROM "${name}" LIMIT 1`)).length > 0,
    rows: (table) => rowsOf(sql, table),
    async write(table, rows) {
      for await (const group of inGroups(rows, table)) await insert(sql, table, group);
    },
    async lastNumber({ name }) {
      const column = numbered.get(name);
      if (column === undefined) return undefined;
      const [row] = await sql.unsafe(
        `SELECT greatest(coalesce(max("${column}"), 0), coalesce(pg_sequence_last_value(pg_get_serial_sequence($1, $2)), 0)) AS last FROM "${name}"`,
        [name, column],
      );
      return (row as unknown as { readonly last: number }).last;
    },
    async numberFrom({ name }, last) {
      const column = numbered.get(name);
      if (column === undefined || last < 1) return;
      await sql.unsafe("SELECT setval(pg_get_serial_sequence($1, $2), $3)", [name, column, last]);
    },
  };
}

/** Streams a table: a cursor would fetch a number of rows, whose bodies may be too large together. */
async function* rowsOf(sql: postgres.TransactionSql, table: Table): AsyncGenerator<Row> {
  const order = table.key.map((column) => `"${column}"`).join(", ");
  const query = `COPY (SELECT ${namesOf(table)} FROM "${table.name}" ORDER BY ${order}) TO STDOUT`;
  const stream = await sql.unsafe(query).readable();
  for await (const line of linesOf(stream)) {
    yield readLine(line, table.columns).map((value) =>
      typeof value === "string" ? decodeText(value) : value,
    );
  }
}

/** Characters of rows that go out in one statement, about. */
const GROUP = 1024 * 1024;

/** Rows as JSON arrays that fit into a statement each. */
async function* inGroups(rows: AsyncIterable<Row>, { columns }: Table): AsyncGenerator<string> {
  let waiting: string[] = [];
  let length = 0;
  for await (const row of rows) {
    const json = JSON.stringify(Object.fromEntries(columns.map(({ name }, at) => [name, toJson(row[at])])));
    waiting.push(json);
    length += json.length;
    if (length < GROUP) continue;
    yield `[${waiting.join(",")}]`;
    [waiting, length] = [[], 0];
  }
  if (waiting.length > 0) yield `[${waiting.join(",")}]`;
}

function toJson(value: SqlValue | undefined): string | number | null {
  if (typeof value === "string") return encodeText(value);
  return value instanceof Uint8Array ? `\\x${Buffer.from(value).toString("hex")}` : (value ?? null);
}

/**
 * Inserts rows by a statement, not by COPY: postgres.js loses the error of a COPY whose last row has been sent before the
 * server answers.
 */
async function insert(sql: postgres.TransactionSql, table: Table, json: string): Promise<void> {
  const types = table.columns.map(({ name, type }) => `"${name}" ${SQL_TYPES[type]}`).join(", ");
  await sql.unsafe(
    `INSERT INTO "${table.name}" (${namesOf(table)}) SELECT ${namesOf(table)} FROM json_to_recordset(CAST($1 AS json)) AS each (${types})`,
    [json],
  );
}

function namesOf({ columns }: Table): string {
  return columns.map(({ name }) => `"${name}"`).join(", ");
}

function tablesOf(rows: readonly ColumnRow[]): Table[] {
  return [...new Set(rows.map(({ table }) => table))].map((name) => {
    const columns = rows.filter(({ table }) => table === name);
    const key = columns.filter(({ pk }) => pk !== null).sort((a, b) => Number(a.pk) - Number(b.pk));
    return {
      name,
      columns: columns.map(({ column, type }) => ({ name: column, type: typeOf(type) })),
      key: key.map(({ column }) => column),
    };
  });
}

function typeOf(type: string): ColumnType {
  const known = TYPES.get(type);
  if (known === undefined) throw new TypeError(`A move knows no columns of the type ${type}.`);
  return known;
}
