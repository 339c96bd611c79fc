import { existsSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import type { Backup } from "../maintenance.ts";
import { migrations } from "../migrations.ts";
import { StoreUnavailable } from "../unavailable.ts";
import { openBackup } from "./backup.ts";
import { type OpenFile, SqliteConnection } from "./connection.ts";
import {
  BUSY_TIMEOUT,
  checkHeader,
  create,
  isBusy,
  type Lock,
  locate,
  lock,
  openReader,
  remember,
  unusable,
  warningOf,
} from "./file.ts";

/** Bytes of disk that the write-ahead log keeps after its content was copied to the database. */
const LOG_BYTES = 64 * 1024 * 1024;

/** An open database: a file, or one in memory. */
interface Opened extends OpenFile {
  readonly db: DatabaseSync;
  /** Absent in memory. */
  readonly path?: string;
  /** While it is open, no other engine can open the database. */
  readonly lock?: Lock;
}

/** The connection that writes to a SQLite database, which is this engine's as long as it is open. */
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

  /** The absolute path of its file; none in memory. */
  get path(): string | undefined {
    return this.#opened.path;
  }

  /** A warning, where others than the owner may reach the file. */
  get warning(): string | undefined {
    return this.path === undefined ? undefined : warningOf(this.path);
  }

  /** A connection of its own to the same file, for reads. In memory, a database has one connection only. */
  reader(): SqliteConnection | undefined {
    const { path } = this;
    return path === undefined ? undefined : new SqliteConnection(openReader(path), "read", this.#opened);
  }

  /** Absent in memory: nothing could be restored from it. */
  get backup(): (() => Promise<Backup>) | undefined {
    const { path } = this;
    return path === undefined ? undefined : () => this.#backUp(path);
  }

  /** Backups are made one after the other. */
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
  migrate(db, ":memory:");
  return { db, file: ":memory:", check: () => {} };
}

function openFile(file: string): Opened {
  let held: Lock | undefined;
  let db: DatabaseSync | undefined;
  try {
    const path = locate(file);
    held = lock(path);
    if (!existsSync(path)) create(path, (draft) => migrate(draft, file));
    checkHeader(path);
    db = new DatabaseSync(path);
    prepare(db, file);
    migrate(db, file);
    const isSame = remember(path);
    const isLogSame = remember(`${path}-wal`);
    const check = (): void => {
      if (!isSame()) throw new StoreUnavailable(`The database ${file} was deleted or replaced.`);
      // A crash would lose every write from now on.
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

function prepare(db: DatabaseSync, file: string): void {
  db.exec(`PRAGMA busy_timeout = ${BUSY_TIMEOUT}`);
  const { journal_mode: mode } = db.prepare("PRAGMA journal_mode = WAL").get() as { journal_mode: string };
  if (mode !== "wal") {
    throw new StoreUnavailable(
      `The database ${file} can't be used: its file system has no shared memory, which a write-ahead log needs. Is it on a network?`,
    );
  }
  // Each commit reaches the disk before it is acknowledged.
  db.exec("PRAGMA synchronous = FULL");
  // A large transaction leaves no large log behind.
  db.exec(`PRAGMA journal_size_limit = ${LOG_BYTES}`);
  // The pages that a transaction changes stay in memory until it commits. Pages that spill into the log one by one make a message
  // of 10 MB take 150 ms instead of 5.
  db.exec("PRAGMA cache_spill = OFF");
  // SQLite overwrites deleted content: the bytes of payloads and results don't stay in the file.
  db.exec("PRAGMA secure_delete = ON");
}

function migrate(db: DatabaseSync, file: string): void {
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
