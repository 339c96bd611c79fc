import type { DatabaseSync } from "node:sqlite";
import type { SqlValue } from "../tx.ts";
import type { ColumnType, MoveEnd, Row, Table } from "./table.ts";

const TYPES: Readonly<Record<string, ColumnType>> = { INTEGER: "integer", TEXT: "text", BLOB: "bytes" };

interface ColumnRow {
  readonly name: string;
  readonly type: string;
  /** The place in the primary key, from 1; 0 for other columns. */
  readonly pk: number;
}

/** A side of a move that is a SQLite database. @param db the caller opens a transaction before it writes */
export function sqliteEnd(db: DatabaseSync): MoveEnd {
  return {
    tables: tablesOf(db),
    hasRows: async ({ name }) => db.prepare(`SELECT 1 FROM "${name}" LIMIT 1`).get() !== undefined,
    rows: (table) => rowsOf(db, table),
    async lastNumber(table) {
      if (!isNumbered(table)) return undefined;
      const [key = ""] = table.key;
      const { last } = db
        .prepare(`SELECT max(coalesce(max("${key}"), 0), ${GIVEN}) AS last FROM "${table.name}"`)
        .get(table.name) as { last: number };
      return last;
    },
    async write(table, rows) {
      const names = table.columns.map(({ name }) => `"${name}"`).join(", ");
      const places = table.columns.map(() => "?").join(", ");
      const insert = db.prepare(`INSERT INTO "${table.name}" (${names}) VALUES (${places})`);
      for await (const row of rows) insert.run(...row);
    },
    async numberFrom(table, last) {
      // A table without AUTOINCREMENT numbers its rows from its highest one, and has no counter.
      db.prepare("UPDATE sqlite_sequence SET seq = ? WHERE name = ?").run(last, table.name);
      if (!isCounted(db, table)) return;
      db.prepare(
        "INSERT INTO sqlite_sequence (name, seq) SELECT ?, ? WHERE NOT EXISTS (SELECT * FROM sqlite_sequence WHERE name = ?)",
      ).run(table.name, last, table.name);
    },
  };
}

/** The highest number that a table with AUTOINCREMENT has given: it may be higher than that of every row. */
const GIVEN = "coalesce((SELECT seq FROM sqlite_sequence WHERE name = ?), 0)";

function isNumbered({ columns, key }: Table): boolean {
  return key.length === 1 && columns.some(({ name, type }) => name === key[0] && type === "integer");
}

function isCounted(db: DatabaseSync, { name }: Table): boolean {
  const { text } = db.prepare("SELECT sql AS text FROM sqlite_schema WHERE name = ?").get(name) as {
    text: string;
  };
  return text.includes("AUTOINCREMENT");
}

function tablesOf(db: DatabaseSync): Table[] {
  const names = db
    .prepare(
      "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name",
    )
    .all() as unknown as { name: string }[];
  return names.map(({ name }) => {
    const columns = db.prepare(`PRAGMA table_info("${name}")`).all() as unknown as ColumnRow[];
    const key = columns.filter(({ pk }) => pk > 0).sort((a, b) => a.pk - b.pk);
    return {
      name,
      columns: columns.map((column) => ({ name: column.name, type: typeOf(column.type) })),
      key: key.map((column) => column.name),
    };
  });
}

function typeOf(type: string): ColumnType {
  const known = TYPES[type];
  if (known === undefined) throw new TypeError(`A move knows no columns of the type ${type}.`);
  return known;
}

async function* rowsOf(db: DatabaseSync, { name, columns, key }: Table): AsyncGenerator<Row> {
  const names = columns.map((column) => `"${column.name}"`);
  const order = key.map((column) => `"${column}"`).join(", ");
  const rows = db.prepare(`SELECT ${names.join(", ")} FROM "${name}" ORDER BY ${order}`).iterate();
  for (const row of rows as Iterable<Readonly<Record<string, SqlValue>>>) {
    yield columns.map((column) => row[column.name] ?? null);
  }
}
