import { copyFileSync, rmSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { ON_POSTGRES } from "@perdure/test-support/mode";
import { onTestFinished } from "vitest";
import type { Store } from "../src/commands/store.ts";
import { openWithoutThreads } from "../src/open-sqlite.ts";
import { Tables } from "./postgres/tables.ts";

/** The store of an engine under test. */
export interface TestStore extends Store {
  readonly commits: number;
}

/** Tables that no engine uses now. */
const free: Tables[] = [];

/** The tables that stand for files, during one test. */
const files = new Map<string, Tables>();

/** The settings of {@link openTestStore}. */
export interface TestStoreOptions {
  /** The path of a file, or `:memory:`. On PostgreSQL, a path is only a name that lasts until the test ends. */
  readonly file: string;
  readonly now: () => number;
}

/**
 * Opens a store on the database of the vitest project that runs. On SQLite it has no threads, which would take longer to begin
 * than most tests: an engine on a file needs `search: false`.
 */
export function openTestStore({ file, now }: TestStoreOptions): TestStore {
  if (!ON_POSTGRES) return openWithoutThreads(file, { now }).store;
  const kept = files.get(file);
  if (kept) return kept.reopen(now);
  const tables = free.pop() ?? new Tables();
  if (file === ":memory:") return freedOnClose(tables);
  files.set(file, tables);
  onTestEnd(() => deleteTestStore(file));
  return tables.open();
}

/** A store whose tables another store may use once it is closed. */
function freedOnClose(tables: Tables): TestStore {
  const store = tables.open();
  let closing: Promise<void> | undefined;
  return {
    ...store,
    get commits() {
      return store.commits;
    },
    close() {
      closing ??= store.close().then(() => void free.push(tables));
      return closing;
    },
  };
}

/** Deletes a store that was opened with the path of a file, and that no engine uses any more. */
export function deleteTestStore(file: string): void {
  rmSync(file, { force: true });
  const tables = files.get(file);
  if (tables === undefined) return;
  files.delete(file);
  free.push(tables);
}

/** Copies a closed store, for the test that runs. */
export function copyTestStore(from: string, to: string): void {
  if (!ON_POSTGRES) {
    copyFileSync(from, to);
    return;
  }
  const source = files.get(from);
  if (source === undefined) throw new TypeError(`There is no store ${from}.`);
  const tables = free.pop() ?? new Tables();
  tables.copyWhenUsed(source);
  files.set(to, tables);
  onTestEnd(() => deleteTestStore(to));
}

/** The rows of a store by the tables that have any, without the index of the search, which follows in its own time. */
export async function rowsOf(file: string): Promise<Record<string, readonly unknown[]>> {
  const rows = ON_POSTGRES ? await files.get(file)?.rows() : rowsOfFile(file);
  if (rows === undefined) throw new TypeError(`There is no store ${file}.`);
  const own = Object.entries(rows).filter(([name, { length }]) => length > 0 && !name.startsWith("search_"));
  return Object.fromEntries(own);
}

function rowsOfFile(file: string): Record<string, readonly unknown[]> {
  const db = new DatabaseSync(file, { readOnly: true });
  const tables = db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").all();
  const names = tables.map(({ name }) => String(name)).filter((name) => name !== "sqlite_sequence");
  const rows = names.map((name) => [name, db.prepare(`SELECT * FROM "${name}"`).all()] as const);
  db.close();
  return Object.fromEntries(rows);
}

/** Calls `end` after the test. Outside of a test, what would end lasts as long as the process. */
export function onTestEnd(end: () => void | Promise<void>): void {
  try {
    onTestFinished(async () => end());
  } catch {
    // Made for all tests of a file.
  }
}
