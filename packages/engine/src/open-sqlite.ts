import { checkOptions } from "@perdure/core/protocol";
import { releaseAllLeases } from "./commands/release-leases.ts";
import { createStore, type Store, type StoreSettings } from "./commands/store.ts";
import { GroupCommit } from "./store/group-commit.ts";
import { copyDatabase } from "./store/sqlite/backup.ts";
import { Database } from "./store/sqlite/database.ts";
import { checkDatabase } from "./store/sqlite/file.ts";
import { withoutWakeUps } from "./store/tx.ts";

/**
 * Milliseconds after the start until a delivery of a process that has died is made again: its endpoint may still be at
 * work, and records its step meanwhile.
 */
const CRASH_GRACE = 1000;

/** Settings of a SQLite store. */
export interface SqliteSettings extends StoreSettings {
  /** Milliseconds since 1970. The machine's clock by default. */
  readonly now?: () => number;
}

/** A store in one file, for one process. */
export interface SqliteStore extends Store {
  /** Transactions committed so far. */
  readonly commits: number;
}

/**
 * Opens a store in one file, for this process alone.
 *
 * @param file a path, whose folder is created, or `:memory:`
 * @throws StoreUnavailable when another process uses the file, or it isn't a database of this engine
 * @example
 * ```ts
 * const engine = createEngine({ store: openSqlite("engine.db"), token, signingKeys });
 * ```
 */
export function openSqlite(file: string, options: SqliteSettings = {}): SqliteStore {
  checkOptions("openSqlite", options, "now warn excerptBytes");
  const { now = Date.now, ...settings } = options;
  const database = new Database(file);
  if (database.warning !== undefined) (settings.warn ?? console.warn)(database.warning);
  const driver = new GroupCommit(database, database.reader());
  // The file is this process's alone: the owners of all leases are gone. Their attempts count as not made.
  // Where that can't be written, their leases run out by themselves.
  driver.write((tx) => releaseAllLeases(withoutWakeUps(tx), now() + CRASH_GRACE)).catch(() => {});
  return createSqliteStore(driver, settings);
}

/** The store of a file that is open. */
export function createSqliteStore(driver: GroupCommit, settings?: StoreSettings): SqliteStore {
  return {
    ...createStore(driver, settings),
    get commits() {
      return driver.commits;
    },
  };
}

/**
 * Copies the database of an engine as it is at one moment, to a file that only its owner can read. The engine may run and
 * write meanwhile, in this process or another one.
 *
 * @param file the database
 * @param target where the copy goes: there must be nothing yet
 * @throws StoreUnavailable when `file` isn't a database of an engine, or the copy can't be made
 * @example
 * ```ts
 * await backupSqlite("engine.db", `backups/${new Date().toISOString().slice(0, 10)}.db`);
 * ```
 */
export async function backupSqlite(file: string, target: string): Promise<void> {
  checkDatabase(file);
  await copyDatabase(file, target);
}
