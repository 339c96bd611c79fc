import type { DatabaseSync, SQLInputValue, StatementSync } from "node:sqlite";
import { keeping } from "../fifo-cache.ts";
import type { Connection } from "../group-commit.ts";
import { type Dialect, isPlain, render, type Sql, sql } from "../tx.ts";

const DIALECT: Dialect = {
  placeholder: () => "?",
  greatest: "max",
  position: "instr",
  list: (placeholder) => `SELECT value FROM json_each(${placeholder})`,
};

/** A connection to a SQLite database, with its statements, which are prepared once. */
export class SqliteConnection implements Connection {
  readonly begin: Sql;
  readonly #db: DatabaseSync;
  readonly #check: () => void;
  /** Statements by their templates: nothing has to be written or looked up by its text. */
  readonly #prepared = new WeakMap<readonly string[], StatementSync>();
  // Lists have as many as there are ways to combine their filters: not all of them are kept.
  readonly #statement = keeping(1000, (text) => this.#db.prepare(text));

  /** @param check throws when the database is no longer the one that was opened */
  constructor(db: DatabaseSync, access: "read" | "write", check: () => void) {
    this.#db = db;
    this.#check = check;
    this.begin = access === "read" ? sql`BEGIN` : sql`BEGIN IMMEDIATE`;
  }

  async one<Row>(query: Sql): Promise<Row | undefined> {
    const { statement, values } = this.#bound(query);
    return statement.get(...values) as Row | undefined;
  }

  async all<Row>(query: Sql): Promise<Row[]> {
    const { statement, values } = this.#bound(query);
    return statement.all(...values) as Row[];
  }

  async run(query: Sql): Promise<number> {
    const { statement, values } = this.#bound(query);
    return Number(statement.run(...values).changes);
  }

  get inTransaction(): boolean {
    return this.#db.isTransaction;
  }

  /** SQLite has one writer: a transaction has nothing to lock. */
  async lock(): Promise<void> {}

  check(): void {
    this.#check();
  }

  async close(): Promise<void> {
    this.#db.close();
  }

  #bound(query: Sql): { readonly statement: StatementSync; readonly values: readonly SQLInputValue[] } {
    if (!isPlain(query)) {
      const { text, values } = render(query, DIALECT);
      return { statement: this.#statement(text), values };
    }
    const known = this.#prepared.get(query.strings);
    if (known) return { statement: known, values: query.parts };
    const statement = this.#db.prepare(query.strings.join("?"));
    this.#prepared.set(query.strings, statement);
    return { statement, values: query.parts };
  }
}
