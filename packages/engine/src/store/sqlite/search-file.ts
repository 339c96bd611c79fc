import { existsSync, rmSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { pathToFileURL } from "node:url";
import { messageOf } from "../../rules/thrown.ts";
import { BUSY_TIMEOUT, createPrivate } from "./file.ts";

/** The tables of the search. `store/migrations/postgres` describes them. */
const TABLES = `
  CREATE VIRTUAL TABLE IF NOT EXISTS search_texts USING fts5(words, content = '', contentless_delete = 1, tokenize = 'ascii');
  CREATE TABLE IF NOT EXISTS search_runs (
    run INTEGER PRIMARY KEY,
    created_at INTEGER NOT NULL,
    position INTEGER NOT NULL,
    size INTEGER NOT NULL,
    ended INTEGER NOT NULL,
    own TEXT NOT NULL
  ) STRICT;`;

/** Makes the tables of the search. @returns false when this build of SQLite can't search in texts */
export function createSearchTables(db: DatabaseSync): boolean {
  try {
    db.exec(TABLES);
    return true;
  } catch (error) {
    if (/no such module|unrecognized option/.test(messageOf(error))) return false;
    throw error;
  }
}

/**
 * The file beside a database that has its index: what the engine writes there holds up no transaction of the database's,
 * and it can always be made anew.
 */
export function searchFileOf(path: string): string {
  return `${path}-search`;
}

/** Makes the file of the search with its tables, unless it is there. A damaged one is replaced. */
export function openSearchFile(path: string): boolean {
  try {
    return prepare(path);
  } catch {
    dropSearchFile(path);
    return prepare(path);
  }
}

function prepare(path: string): boolean {
  const file = searchFileOf(path);
  createPrivate(file);
  const db = new DatabaseSync(file);
  try {
    db.exec(`PRAGMA busy_timeout = ${BUSY_TIMEOUT}; PRAGMA journal_mode = WAL; PRAGMA secure_delete = ON`);
    return createSearchTables(db);
  } finally {
    db.close();
  }
}

/** Deletes the file of the search. No thread uses it. */
export function dropSearchFile(path: string): void {
  for (const suffix of ["", "-wal", "-shm"]) rmSync(searchFileOf(path) + suffix, { force: true });
}

/** Opens the connection that fills the index: the file of the search, and the database as `engine`. */
export function openIndexer(path: string): DatabaseSync {
  const db = new DatabaseSync(searchFileOf(path));
  db.exec(`PRAGMA busy_timeout = ${BUSY_TIMEOUT}; PRAGMA synchronous = NORMAL; PRAGMA secure_delete = ON`);
  // SQLite would make an empty database in the place of one that was deleted meanwhile.
  db.prepare("ATTACH ? AS engine").run(`${pathToFileURL(path)}?mode=rw`);
  return db;
}

/** Lets a connection that reads a database search in its index, if there is one. */
export function attachSearch(db: DatabaseSync, path: string): void {
  const file = searchFileOf(path);
  if (existsSync(file)) db.prepare("ATTACH ? AS search").run(file);
}
