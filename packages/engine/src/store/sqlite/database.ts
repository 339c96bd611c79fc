import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync, type SQLInputValue } from "node:sqlite";
import { messageOf } from "../../domain/problem.ts";
import { StoreUnavailable } from "../store.ts";
import { keeping } from "./keeping.ts";
import { MIGRATIONS } from "./schema.ts";
import { Tally } from "./tally.ts";

const SQLITE_BUSY = 5;

/** Tells when something that was stored comes due. */
export type Due = (dueAt: number) => void;

/** A database with its statements, which are prepared once. */
export class Database {
  readonly tally: Tally = new Tally();
  readonly #db: DatabaseSync;
  // Lists have as many as there are ways to combine their filters: not all of them are kept.
  readonly #statement = keeping(1000, (sql) => this.#db.prepare(sql));

  /**
   * @param file a path, whose folder is created, or `:memory:`
   * @throws StoreUnavailable when another process has it, or it isn't one of ours
   */
  constructor(file: string) {
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

  get<Row>(sql: string, ...values: SQLInputValue[]): Row | undefined {
    return this.#statement(sql).get(...values) as Row | undefined;
  }

  all<Row>(sql: string, ...values: SQLInputValue[]): Row[] {
    return this.#statement(sql).all(...values) as Row[];
  }

  /** @returns how many rows changed, and the key of the last one inserted */
  run(sql: string, ...values: SQLInputValue[]): { changes: number; key: number } {
    const { changes, lastInsertRowid } = this.#statement(sql).run(...values);
    return { changes: Number(changes), key: Number(lastInsertRowid) };
  }

  get inTransaction(): boolean {
    return this.#db.isTransaction;
  }

  close(): void {
    this.#db.close();
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
    if (version > MIGRATIONS.length) {
      throw new StoreUnavailable(
        `The database ${file} was written by a newer version of the engine (schema ${version}; this one knows ${MIGRATIONS.length}).`,
      );
    }
    for (const migration of MIGRATIONS.slice(version)) this.#db.exec(migration);
    this.#db.exec(`PRAGMA user_version = ${MIGRATIONS.length}`);
    this.#db.exec("COMMIT");
  }
}

function unavailable(file: string, cause: unknown): StoreUnavailable {
  const busy = cause instanceof Error && "errcode" in cause && cause.errcode === SQLITE_BUSY;
  return new StoreUnavailable(
    busy
      ? `The database ${file} is in use by another process.`
      : `The database ${file} can't be used: ${messageOf(cause)}.`,
    { cause },
  );
}
