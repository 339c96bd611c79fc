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

/** Milliseconds for which a statement waits for another program that uses the file. */
export const BUSY_TIMEOUT = 1000;

/** Only the owner reads and writes. */
const OWNER_ONLY = { file: 0o600, folder: 0o700 };

const MAGIC = "SQLite format 3\0";

/** The error for a database that can't be used, with the reason. */
export function unusable(file: string, cause: unknown): StoreUnavailable {
  if (cause instanceof StoreUnavailable) return cause;
  return new StoreUnavailable(`The database ${file} can't be used: ${reasonOf(cause)}.`, { cause });
}

/** The reasons of the operating system, by its codes, and those of SQLite, by its messages: not every runtime has its codes. */
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

/** SQLite's words for a disk that is full or gone, or a file that may no longer be written. */
const LOST = /disk is full|readonly database|disk I\/O error|unable to open|malformed/;

/** The error of a statement: a StoreUnavailable where the fault is the file's, not the statement's. */
export function failureOf(file: string, cause: unknown): unknown {
  return LOST.test(messageOf(cause)) ? unusable(file, cause) : cause;
}

export function isBusy(cause: unknown): boolean {
  return /database is locked/.test(messageOf(cause));
}

/**
 * Resolves the links to a database, so that each path to it means one lock. Creates its folder for the owner only.
 *
 * @throws an error of the file system
 */
export function locate(file: string): string {
  const path = resolve(file);
  if (lstatSync(path, { throwIfNoEntry: false })) return realpathSync(path);
  const folder = dirname(path);
  createFolder(folder);
  return join(realpathSync(folder), basename(path));
}

/** `mkdirSync` with `recursive` never returns where the system answers ENOENT for a folder, as it does below /proc. */
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

/** Makes a file that only its owner can read, unless there is one. @returns whether it has made it */
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
  /** Closes it, and removes its file if it was made for this lock: the database can't be used. */
  withdraw(): void;
}

/**
 * Takes the lock of a database for this process. The operating system frees it when the process ends, however it ends.
 *
 * A file of its own holds the lock: the database itself stays open to readers.
 *
 * @throws an error that {@link isBusy} knows when another engine has it
 */
export function lock(path: string): Lock {
  const file = `${path}-lock`;
  const isNew = createPrivate(file);
  const held = new DatabaseSync(file);
  try {
    // No journal: nothing is ever written.
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

/**
 * Makes a database, complete or not at all: a crash leaves no half of one under its name.
 *
 * @param fill writes the schema
 */
export function create(path: string, fill: (db: DatabaseSync) => void): void {
  const draft = `${path}-new`;
  for (const leftover of [draft, `${draft}-journal`]) rmSync(leftover, { force: true });
  createPrivate(draft);
  const db = new DatabaseSync(draft);
  try {
    db.exec(`PRAGMA application_id = ${APPLICATION_ID}`);
    fill(db);
  } finally {
    db.close();
  }
  renameSync(draft, path);
}

/**
 * Looks at a database's first bytes, without SQLite, which would begin to recover a database of another program.
 *
 * No connection of this process may use the file: when a process closes a file, it loses all locks that SQLite holds on it.
 *
 * @throws an error that says why the file isn't a database of this engine, or can't be written
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

/** @throws StoreUnavailable when the file isn't a database of this engine. Connections of this process may use it. */
export function checkDatabase(file: string): void {
  try {
    statSync(file);
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

/** @returns whether the path still leads to the file to which it leads now */
export function remember(path: string): () => boolean {
  const { dev, ino } = statSync(path);
  return () => {
    const now = statSync(path, { throwIfNoEntry: false });
    return now?.dev === dev && now.ino === ino;
  };
}

/** @returns a warning where others than the owner may reach the database */
export function warningOf(path: string): string | undefined {
  // Windows has no such permissions.
  if (process.platform === "win32") return undefined;
  const files = ["", "-wal", "-shm", "-lock"]
    .map((suffix) => path + suffix)
    .filter((one) => isWide(one, 0o077));
  const folder = dirname(path);
  // The folder that a user works in isn't the engine's: only others who may write there are a danger.
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

/** A connection that only reads. */
export function openReader(path: string): DatabaseSync {
  const db = new DatabaseSync(path, { readOnly: true });
  db.exec(`PRAGMA busy_timeout = ${BUSY_TIMEOUT}`);
  return db;
}
