import { existsSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import type { SearchTables } from "../group-commit.ts";
import type { Backup } from "../maintenance.ts";
import { migrations } from "../migrations.ts";
import { MOVED, refuseMoved } from "../moved.ts";
import { StoreUnavailable } from "../unavailable.ts";
import { openBackup } from "./backup.ts";
import { CHECKPOINT_PAGES, type OpenFile, SqliteConnection } from "./connection.ts";
import {
  BUSY_TIMEOUT,
  checkHeader,
  createNew,
  isBusy,
  isFull,
  type Lock,
  locate,
  lock,
  type NewDatabase,
  openReader,
  remember,
  unusable,
  warningOf,
} from "./file.ts";
import { createSearchTables, dropSearchFile, openSearchFile } from "./search-file.ts";

/**
 * Maximum bytes of disk that the write-ahead log keeps after SQLite has copied its content to the database.
 */
const LOG_BYTES = 64 * 1024 * 1024;

/** Bytes of a row that fills a page. */
const PAGE_CONTENT = 4000;

/** An open database, in a file or in memory. */
interface Opened extends OpenFile {
  readonly db: DatabaseSync;
  /** Absent in memory. */
  readonly path?: string;
  /** Keeps other engines from opening the database. */
  readonly lock?: Lock;
}

/**
 * The connection that writes to a SQLite database. While it is open, no other engine can use the database.
 */
export class Database extends SqliteConnection {
  readonly #opened: Opened;
  #lastBackup: Promise<unknown> = Promise.resolve();

  /**
   * @param file a path, whose folder is created, or `:memory:`
   * @throws StoreUnavailable when another process uses the file, or it isn't a database of this engine
   */
  constructor(file: string) {
    const opened = file === ":memory:" ? openMemory() : openFile(file);
    super(opened.db, "write", opened);
    this.#opened = opened;
  }

  /** The absolute path of the file; `undefined` in memory. */
  get path(): string | undefined {
    return this.#opened.path;
  }

  /** A warning when users other than the owner may access the file. */
  get warning(): string | undefined {
    return this.path === undefined ? undefined : warningOf(this.path);
  }

  /** Opens a second connection to the same file, for reads. A database in memory has only one connection. */
  reader(): SqliteConnection | undefined {
    const { path } = this;
    return path === undefined ? undefined : new SqliteConnection(openReader(path), "read", this.#opened);
  }

  /** The tables of the search: in a file of their own, or in memory. */
  get search(): SearchTables {
    const { path } = this;
    const { db } = this.#opened;
    if (path !== undefined) return { open: () => openSearchFile(path), drop: () => dropSearchFile(path) };
    return {
      open: () => createSearchTables(db),
      drop: () => db.exec("DROP TABLE IF EXISTS search_texts; DROP TABLE IF EXISTS search_runs"),
    };
  }

  /** Absent in memory: such a database can't be restored from a copy. */
  get backup(): (() => Promise<Backup>) | undefined {
    const { path } = this;
    return path === undefined ? undefined : () => this.#backUp(path);
  }

  /** Makes backups one after the other. */
  #backUp(path: string): Promise<Backup> {
    const made = this.#lastBackup.then(() => openBackup(path));
    this.#lastBackup = made.catch(() => {});
    return made;
  }

  override async close(): Promise<void> {
    await this.#lastBackup;
    await super.close();
    this.#opened.lock?.close();
  }
}

function openMemory(): Opened {
  const db = new DatabaseSync(":memory:");
  migrateFile(db, ":memory:");
  return { db, file: ":memory:", check: () => {} };
}

function openFile(file: string): Opened {
  let held: Lock | undefined;
  let db: DatabaseSync | undefined;
  try {
    const path = locate(file);
    held = lock(path);
    if (!existsSync(path)) createEmpty(path, file);
    checkHeader(path);
    db = new DatabaseSync(path);
    prepare(db, file);
    migrateFile(db, file);
    refuseMoved(db.prepare(MOVED).get());
    const isSame = remember(path);
    const isLogSame = remember(`${path}-wal`);
    const check = (): void => {
      if (!isSame()) throw new StoreUnavailable(`The database ${file} was deleted or replaced.`);
      // After a replacement of the log, a crash would lose every later write.
      if (!isLogSame())
        throw new StoreUnavailable(
          `The write-ahead log ${file}-wal was deleted or replaced. Stop the engine with SIGTERM: it writes what it has to the database.`,
        );
    };
    return { db, file, path, lock: held, check };
  } catch (cause) {
    db?.close();
    held?.withdraw();
    throw isBusy(cause)
      ? new StoreUnavailable(`The database ${file} is in use by another process.`, { cause })
      : unusable(file, cause);
  }
}

function createEmpty(path: string, file: string): void {
  const created = createNew(path);
  try {
    migrateFile(created.db, file);
  } catch (error) {
    created.drop();
    throw error;
  }
  created.keep();
}

/**
 * Creates a database with all that `fill` writes into its tables, or none.
 *
 * @param file a path without a file, whose folder is created
 * @throws StoreUnavailable when the file exists, or can't be written
 */
export async function createFilled<T>(file: string, fill: (db: DatabaseSync) => Promise<T>): Promise<T> {
  let held: Lock | undefined;
  let created: NewDatabase | undefined;
  try {
    const path = locate(file);
    held = lock(path);
    if (existsSync(path)) throw new StoreUnavailable(`The file ${file} exists already.`);
    created = createNew(path);
    migrateFile(created.db, file);
    created.db.exec("BEGIN IMMEDIATE");
    const result = await fill(created.db);
    created.db.exec("COMMIT");
    created.keep();
    held.close();
    return result;
  } catch (cause) {
    created?.drop();
    held?.withdraw();
    throw unusable(file, cause);
  }
}

function prepare(db: DatabaseSync, file: string): void {
  db.exec(`PRAGMA busy_timeout = ${BUSY_TIMEOUT}`);
  const { journal_mode: mode } = db.prepare("PRAGMA journal_mode = WAL").get() as { journal_mode: string };
  if (mode !== "wal") {
    throw new StoreUnavailable(
      `The database ${file} can't be used: its file system has no shared memory, which a write-ahead log needs. Is it on a network?`,
    );
  }
  // Each commit reaches the disk before the engine acknowledges it.
  db.exec("PRAGMA synchronous = FULL");
  // A large transaction leaves no large log behind.
  db.exec(`PRAGMA journal_size_limit = ${LOG_BYTES}`);
  growLog(db);
  // The pages that a transaction changes stay in memory until it commits. If they spilled into the log one by
  // one, a message of 10 MB would take 150 ms instead of 5.
  db.exec("PRAGMA cache_spill = OFF");
  // A savepoint keeps the old content of changed pages in memory. By default, SQLite would write it to a
  // temporary file as soon as it exceeds 64 KiB.
  db.exec("PRAGMA temp_store = MEMORY");
  // SQLite overwrites deleted content: the bytes of payloads and results don't stay in the file.
  db.exec("PRAGMA secure_delete = ON");
}

/**
 * Gives the write-ahead log the size at once at which SQLite begins it anew. A commit that makes the log longer waits for
 * the disk longer than one that overwrites it: measured, 0.27 ms against 0.18 ms. The pages get into the log because
 * they don't fit into the cache, and the rollback makes them void.
 */
function growLog(db: DatabaseSync): void {
  db.exec("PRAGMA cache_size = 10");
  db.exec("BEGIN IMMEDIATE");
  try {
    db.exec(
      `CREATE TABLE padding AS WITH RECURSIVE page (number) AS
        (SELECT 1 UNION ALL SELECT number + 1 FROM page WHERE number < ${CHECKPOINT_PAGES})
      SELECT zeroblob(${PAGE_CONTENT}) AS content FROM page`,
    );
  } catch (error) {
    // Opening goes on: the first write says that the disk is full.
    if (!isFull(error)) throw error;
  } finally {
    if (db.isTransaction) db.exec("ROLLBACK");
    db.exec("PRAGMA cache_size = -2000");
  }
}

/** Brings an open database to the newest schema. @param file the name for errors */
export function migrateFile(db: DatabaseSync, file: string): void {
  db.exec("BEGIN IMMEDIATE");
  const { user_version: version } = db.prepare("PRAGMA user_version").get() as { user_version: number };
  const known = migrations("sqlite");
  if (version > known.length) {
    throw new StoreUnavailable(
      `The database ${file} was written by a newer version of the engine (schema ${version}; this one knows ${known.length}).`,
    );
  }
  for (const migration of known.slice(version)) db.exec(migration);
  if (version < known.length) db.exec(`PRAGMA user_version = ${known.length}`);
  db.exec("COMMIT");
}
