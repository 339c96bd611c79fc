import type { DatabaseSync, SQLInputValue, StatementSync } from "node:sqlite";
import { fifoCache } from "../fifo-cache.ts";
import type { Connection } from "../group-commit.ts";
import { Renderer } from "../renderer.ts";
import { type Dialect, type LockKind, type Sql, sql } from "../tx.ts";
import { failureOf } from "./file.ts";

const DIALECT: Dialect = {
  placeholder: () => "?",
  greatest: "max",
  position: "instr",
  // One writer: no other transaction locks anything.
  skipLocked: "",
  forUpdate: "",
  text: (value) => value,
  list: (placeholder) => `SELECT value FROM json_each(${placeholder})`,
  listValue: (values) => JSON.stringify(values),
  searchedWords: (words, bind) => bind(words.join(" ")),
  searchTerm: ({ words, isPrefix }, bind) =>
    `search_texts MATCH ${bind(`"${words.join(" ")}"${isPrefix ? " *" : ""}`)}`,
};

const RENDERER = new Renderer(DIALECT);

const COMMIT = sql`COMMIT`;

/** A transaction that writes this many bytes of bodies counts as large. */
const LARGE = 1024 * 1024;

/** Pages of the write-ahead log after which SQLite copies it to the database: its default. */
export const CHECKPOINT_PAGES = 1000;

/** The properties of the database's file that a connection needs. */
export interface OpenFile {
  /** The path that the user gave. */
  readonly file: string;
  /** @throws StoreUnavailable when another file has replaced the opened one */
  readonly check: () => void;
}

/** A connection to a SQLite database. It prepares each statement once. */
export class SqliteConnection implements Connection {
  readonly begin: Sql;
  readonly #db: DatabaseSync;
  readonly #file: string;
  readonly #check: () => void;
  /** Bytes of bodies that the current or last transaction has written. */
  #bytes = 0;
  // A list has one statement for each combination of its filters: too many to keep all of them.
  readonly #statement = fifoCache(1000, (text) => this.#db.prepare(text));

  constructor(db: DatabaseSync, access: "read" | "write", { file, check }: OpenFile) {
    this.#db = db;
    this.#file = file;
    this.#check = check;
    this.begin = access === "read" ? sql`BEGIN` : sql`BEGIN IMMEDIATE`;
  }

  /**
   * Commits. SQLite would at once copy the log to the database; after a large transaction,
   * {@link afterCommit} does so instead, because the copy waits for the disk as long as the commit itself.
   */
  async commit(): Promise<void> {
    if (this.#bytes < LARGE) {
      await this.run(COMMIT);
      return;
    }
    this.#db.exec("PRAGMA wal_autocheckpoint = 0");
    try {
      await this.run(COMMIT);
    } finally {
      this.#db.exec(`PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES}`);
    }
  }

  async afterCommit(): Promise<void> {
    const large = this.#bytes >= LARGE;
    this.#bytes = 0;
    if (!large) return;
    await new Promise((resolve) => setImmediate(resolve));
    try {
      this.#db.exec("PRAGMA wal_checkpoint(PASSIVE)");
    } catch {
      // A later commit makes the copy, and reports the error.
    }
  }

  async one<Row>(query: Sql): Promise<Row | undefined> {
    return this.#execute(query, (statement, values) => statement.get(...values) as Row | undefined);
  }

  async all<Row>(query: Sql): Promise<Row[]> {
    return this.#execute(query, (statement, values) => statement.all(...values) as Row[]);
  }

  /** Reads row by row: slower than {@link all} for few rows, but thousands of them don't occupy the thread at once. */
  async many<Row>(query: Sql, pause: () => Promise<void> | undefined): Promise<Row[]> {
    // Another operation of the transaction may run the kept statement before this one has read its last row.
    const own = (text: string): StatementSync => this.#db.prepare(text);
    const result = this.#execute(query, (statement, values) => statement.iterate(...values), own);
    const rows: Row[] = [];
    for (;;) {
      const { done, value } = this.#step(result);
      if (done) return rows;
      rows.push(value as Row);
      await pause();
    }
  }

  #step(rows: Iterator<unknown>): IteratorResult<unknown> {
    try {
      return rows.next();
    } catch (cause) {
      throw failureOf(this.#file, cause);
    }
  }

  async run(query: Sql): Promise<number> {
    return this.#execute(query, (statement, values) => Number(statement.run(...values).changes));
  }

  send(query: Sql): void {
    this.#execute(query, (statement, values) => statement.run(...values));
  }

  get inTransaction(): boolean {
    return this.#db.isTransaction;
  }

  /** Does nothing: SQLite has one writer, so a transaction has nothing to lock. */
  async lock(): Promise<void> {}

  /** Returns true for each: no other transaction has a lock. */
  async tryLock(_kind: LockKind, ...keys: readonly string[]): Promise<boolean[]> {
    return keys.map(() => true);
  }

  check(): void {
    this.#check();
  }

  async close(): Promise<void> {
    this.#db.close();
  }

  /** @throws StoreUnavailable when the disk is full, or the file has become unusable */
  #execute<Result>(
    query: Sql,
    act: (statement: StatementSync, values: readonly SQLInputValue[]) => Result,
    prepare: (text: string) => StatementSync = this.#statement,
  ): Result {
    try {
      const { text, values } = RENDERER.render(query);
      for (const value of values) if (value instanceof Uint8Array) this.#bytes += value.length;
      return act(prepare(text), values);
    } catch (cause) {
      throw failureOf(this.#file, cause);
    }
  }
}
