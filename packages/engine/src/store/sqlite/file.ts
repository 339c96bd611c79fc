import {
  closeSync,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  readSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
} from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { messageOf } from "../../rules/thrown.ts";
import { StoreUnavailable } from "../unavailable.ts";

/** Marks a SQLite file as a database of this engine: "Prdr". */
export const APPLICATION_ID = 0x50726472;

/** Milliseconds for which a statement waits while another program uses the file. */
export const BUSY_TIMEOUT = 1000;

/** Permissions: only the owner may read and write. */
const OWNER_ONLY = { file: 0o600, folder: 0o700 };

const MAGIC = "SQLite format 3\0";

/** The error for a database that can't be used, with the reason. */
export function unusable(file: string, cause: unknown): StoreUnavailable {
  if (cause instanceof StoreUnavailable) return cause;
  return new StoreUnavailable(`The database ${file} can't be used: ${reasonOf(cause)}.`, { cause });
}

/**
 * Descriptions of errors, by the operating system's codes and by SQLite's messages: not every runtime
 * provides SQLite's codes.
 */
const REASONS: readonly (readonly [RegExp, string])[] = [
  [/^ENOENT/, "there is no such file or folder"],
  [/^(ENOTDIR|EEXIST)/, "a part of its path isn't a folder"],
  [/^EISDIR/, "it is a folder"],
  [/^(EACCES|EPERM)/, "this process may not write to it (permission denied)"],
  [/^EROFS/, "its file system is read-only"],
  [/^ENAMETOOLONG/, "its path is too long"],
  [/^ENOSPC|disk is full/, "its disk is full"],
  [/readonly/, "this process may not write to it (it is read-only)"],
  [/disk I\/O error/, "its disk can't be read or written (disk I/O error)"],
  [/unable to open/, "this process can't open it, or make the files beside it"],
  [/not a database/, "it is not a database"],
  [/malformed/, "it is damaged: restore a backup"],
];

function reasonOf(cause: unknown): string {
  const message = messageOf(cause);
  return REASONS.find(([pattern]) => pattern.test(message))?.[1] ?? message;
}

/** SQLite's messages for a full or missing disk, or a file that the engine may no longer write. */
const LOST = /disk is full|readonly database|disk I\/O error|unable to open|malformed/;

/** The error of a statement: a StoreUnavailable when the fault lies with the file, not with the statement. */
export function failureOf(file: string, cause: unknown): unknown {
  return LOST.test(messageOf(cause)) ? unusable(file, cause) : cause;
}

export function isBusy(cause: unknown): boolean {
  return /database is locked/.test(messageOf(cause));
}

export function isFull(cause: unknown): boolean {
  return /disk is full/.test(messageOf(cause));
}

/** The beginning of a URL. A drive of Windows has one letter. */
const URL_START = /^(?:[a-z][a-z\d+.-]+:\/|(?:file|sqlite):)/i;

/**
 * A URL would become the name of a folder.
 *
 * @throws StoreUnavailable for a URL, which it doesn't show, because it may hold a password
 */
export function refuseUrl(file: string): void {
  if (URL_START.test(file)) {
    throw new StoreUnavailable(
      `The database's URL can't be used: it begins with "${file.slice(0, file.indexOf(":") + 1)}". Expected the path of a file, or postgres://user:password@host:5432/database.`,
    );
  }
}

/**
 * Resolves the links to a database, so that all paths to it use one lock. Creates its folder for the owner
 * only.
 *
 * @throws StoreUnavailable for a URL
 * @throws an error of the file system
 */
export function locate(file: string): string {
  refuseUrl(file);
  const path = resolve(file);
  if (lstatSync(path, { throwIfNoEntry: false })) return realpathSync(path);
  const folder = dirname(path);
  createFolder(folder);
  return join(realpathSync(folder), basename(path));
}

/**
 * Creates a folder and its parents. `mkdirSync` with `recursive` never returns when the system answers ENOENT
 * for a folder, as below /proc.
 */
function createFolder(folder: string): void {
  const create = (): void => {
    mkdirSync(folder, { mode: OWNER_ONLY.folder });
  };
  try {
    create();
  } catch (cause) {
    if (/^EEXIST/.test(messageOf(cause))) return;
    if (!/^ENOENT/.test(messageOf(cause))) throw cause;
    createFolder(dirname(folder));
    create();
  }
}

/** Creates a file that only its owner can read, unless it exists. @returns whether it created the file */
export function createPrivate(path: string): boolean {
  try {
    closeSync(openSync(path, "wx", OWNER_ONLY.file));
    return true;
  } catch (cause) {
    if (!/^EEXIST/.test(messageOf(cause))) throw cause;
    return false;
  }
}

/** The lock of a database, held by this process. */
export interface Lock {
  close(): void;
  /** Closes the lock of an unusable database, and removes the lock's file if this process created it. */
  withdraw(): void;
}

/**
 * Takes the lock of a database for this process. The operating system frees it when the process ends, even by
 * a crash.
 *
 * The lock is on a separate file, so that readers can still open the database.
 *
 * @throws an error that {@link isBusy} recognizes, when another engine has the lock
 */
export function lock(path: string): Lock {
  const file = `${path}-lock`;
  const isNew = createPrivate(file);
  const held = new DatabaseSync(file);
  try {
    // The lock file needs no journal: the engine never writes to it.
    held.exec("PRAGMA journal_mode = MEMORY");
    held.exec("BEGIN EXCLUSIVE");
    return {
      close: () => held.close(),
      withdraw() {
        held.close();
        if (isNew) rmSync(file, { force: true });
      },
    };
  } catch (cause) {
    held.close();
    throw cause;
  }
}

/** A database under a temporary name: a crash leaves no partial database under its own name. */
export interface NewDatabase {
  readonly db: DatabaseSync;
  /** Closes the database and gives it its name. */
  keep(): void;
  /** Closes the database and deletes it. */
  drop(): void;
}

/** Creates an empty database that only its owner can read. */
export function createNew(path: string): NewDatabase {
  const newFile = `${path}-new`;
  const remove = (): void => {
    for (const leftover of [newFile, `${newFile}-journal`]) rmSync(leftover, { force: true });
  };
  remove();
  createPrivate(newFile);
  const db = new DatabaseSync(newFile);
  db.exec(`PRAGMA application_id = ${APPLICATION_ID}`);
  return {
    db,
    keep() {
      db.close();
      renameSync(newFile, path);
    },
    drop() {
      db.close();
      remove();
    },
  };
}

/**
 * Checks a database's first bytes, without SQLite, which would begin to recover another program's database.
 *
 * No connection of this process may use the file: when a process closes a file, it loses all locks that
 * SQLite holds on it.
 *
 * @throws an error that says why the file isn't a database of this engine, or why the engine can't write it
 */
export function checkHeader(path: string): void {
  const opened = openSync(path, "r+");
  try {
    if (!fstatSync(opened).isFile()) throw new Error("it is a device, not a file");
    const header = Buffer.alloc(100);
    const size = readSync(opened, header, 0, header.length, 0);
    if (size === 0) throw new Error("it is an empty file. Delete it, and the engine makes a new database");
    if (size < header.length || header.toString("latin1", 0, MAGIC.length) !== MAGIC)
      throw new Error("it is not a database");
    checkId(header.readUInt32BE(68));
  } finally {
    closeSync(opened);
  }
}

/**
 * @throws StoreUnavailable when the file isn't a database of this engine. Connections of this process may use
 * it.
 */
export function checkDatabase(file: string): void {
  refuseUrl(file);
  try {
    if (statSync(file).size === 0) throw new Error("it is an empty file");
    const db = openReader(file);
    try {
      checkId((db.prepare("PRAGMA application_id").get() as { application_id: number }).application_id);
    } finally {
      db.close();
    }
  } catch (cause) {
    throw unusable(file, cause);
  }
}

function checkId(id: number): void {
  if (id !== APPLICATION_ID)
    throw new Error("it is a SQLite database, but not one that this engine has made");
}

/** @returns a function that says whether the path still leads to the same file */
export function remember(path: string): () => boolean {
  const { dev, ino } = statSync(path);
  return () => {
    const now = statSync(path, { throwIfNoEntry: false });
    return now?.dev === dev && now.ino === ino;
  };
}

/** @returns a warning when users other than the owner may access the database */
export function warningOf(path: string): string | undefined {
  // Windows doesn't have these permissions.
  if (process.platform === "win32") return undefined;
  const files = ["", "-wal", "-shm", "-lock", "-search"]
    .map((suffix) => path + suffix)
    .filter((one) => isWide(one, 0o077));
  const folder = dirname(path);
  // The working directory doesn't belong to the engine: only other users with write access to it are a
  // danger.
  const wide = isWide(folder, folder === process.cwd() ? 0o022 : 0o077);
  const commands = [
    ...(wide ? [`chmod 700 '${folder}'`] : []),
    ...(files.length > 0 ? [`chmod 600 ${files.map((one) => `'${one}'`).join(" ")}`] : []),
  ];
  if (commands.length === 0) return undefined;
  return `Other users of this machine may reach the database ${path}, which holds payloads and keys. Run: ${commands.join("; ")}`;
}

function isWide(path: string, bits: number): boolean {
  const mode = statSync(path, { throwIfNoEntry: false })?.mode ?? 0;
  return (mode & bits) !== 0;
}

/** Opens a connection that only reads. */
export function openReader(path: string): DatabaseSync {
  const db = new DatabaseSync(path, { readOnly: true });
  db.exec(`PRAGMA busy_timeout = ${BUSY_TIMEOUT}`);
  return db;
}
