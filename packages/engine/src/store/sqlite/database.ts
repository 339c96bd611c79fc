import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync, type SQLInputValue, type StatementSync } from "node:sqlite";
import { messageOf } from "../../rules/problem.ts";
import { keeping } from "../fifo-cache.ts";
import type { Connection } from "../group-commit.ts";
import { migrations } from "../migrations.ts";
import { StoreUnavailable } from "../store.ts";
import { type Dialect, isPlain, render, type Sql, sql } from "../tx.ts";

const SQLITE_BUSY = 5;
const SQLITE_FULL = 13;
/** The file system refuses: read-only, an error of the device, gone. */
const SQLITE_UNUSABLE: readonly unknown[] = [8, 10, 14];

const DIALECT: Dialect = {
  placeholder: () => "?",
  greatest: "max",
  position: "instr",
  list: (placeholder) => `SELECT value FROM json_each(${placeholder})`,
};

/** A connection to a SQLite file, with its statements, which are prepared once. */
export class Database implements Connection {
  readonly begin: Sql = sql`BEGIN IMMEDIATE`;
  readonly #file: string;
  readonly #db: DatabaseSync;
  /** Statements by their templates: nothing has to be written or looked up by its text. */
  readonly #prepared = new WeakMap<readonly string[], StatementSync>();
  // Lists have as many as there are ways to combine their filters: not all of them are kept.
  readonly #statement = keeping(1000, (text) => this.#db.prepare(text));

  /**
   * @param file a path, whose folder is created, or `:memory:`
   * @throws StoreUnavailable when another process uses the file, or it isn't a database of this engine
   */
  constructor(file: string) {
    this.#file = file;
    try {
      if (file !== ":memory:") mkdirSync(dirname(file), { recursive: true });
      this.#db = new DatabaseSync(file);
    } catch (cause) {
      throw new StoreUnavailable(`The database ${file} can't be opened: ${messageOf(cause)}.`, { cause });
    }
    try {
      this.#prepare(file);
    } catch (cause) {
      this.#db.close();
      throw cause instanceof StoreUnavailable ? cause : unavailable(file, cause);
    }
  }

  async one<Row>(query: Sql): Promise<Row | undefined> {
    return this.#execute(query, (statement, values) => statement.get(...values) as Row | undefined);
  }

  async all<Row>(query: Sql): Promise<Row[]> {
    return this.#execute(query, (statement, values) => statement.all(...values) as Row[]);
  }

  async run(query: Sql): Promise<number> {
    return this.#execute(query, (statement, values) => Number(statement.run(...values).changes));
  }

  get inTransaction(): boolean {
    return this.#db.isTransaction;
  }

  /** There is one writer: nothing has to be locked. */
  async lock(): Promise<void> {}

  async close(): Promise<void> {
    this.#db.close();
  }

  /** @throws StoreUnavailable when the disk is full, or the file can't be used any more */
  #execute<Result>(
    query: Sql,
    act: (statement: StatementSync, values: readonly SQLInputValue[]) => Result,
  ): Result {
    try {
      const { statement, values } = this.#bound(query);
      return act(statement, values);
    } catch (cause) {
      const code = codeOf(cause);
      if (code !== SQLITE_FULL && !SQLITE_UNUSABLE.includes(code)) throw cause;
      throw new StoreUnavailable(
        code === SQLITE_FULL
          ? `The database ${this.#file} can't grow: its disk is full.`
          : `The database ${this.#file} can't be read or written: ${messageOf(cause)}.`,
        { cause },
      );
    }
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

  #prepare(file: string): void {
    // Before anything is read: with the lock of this process alone, the index of the write-ahead log stays in memory.
    this.#db.exec("PRAGMA locking_mode = EXCLUSIVE");
    this.#db.exec("PRAGMA journal_mode = WAL");
    // Each commit reaches the disk before it is acknowledged.
    this.#db.exec("PRAGMA synchronous = FULL");
    this.#db.exec("BEGIN IMMEDIATE");
    const { user_version: version } = this.#db.prepare("PRAGMA user_version").get() as {
      user_version: number;
    };
    const known = migrations("sqlite");
    if (version > known.length) {
      throw new StoreUnavailable(
        `The database ${file} was written by a newer version of the engine (schema ${version}; this one knows ${known.length}).`,
      );
    }
    for (const migration of known.slice(version)) this.#db.exec(migration);
    this.#db.exec(`PRAGMA user_version = ${known.length}`);
    this.#db.exec("COMMIT");
  }
}

function unavailable(file: string, cause: unknown): StoreUnavailable {
  return new StoreUnavailable(
    codeOf(cause) === SQLITE_BUSY
      ? `The database ${file} is in use by another process.`
      : `The database ${file} can't be used: ${messageOf(cause)}.`,
    { cause },
  );
}

/** SQLite's own code, without the details in its higher bytes. */
function codeOf(error: unknown): number | undefined {
  return error instanceof Error && "errcode" in error ? Number(error.errcode) & 0xff : undefined;
}
