import { checkFunction, mustBe } from "@perdure/core/protocol";
import { INDEXING } from "./commands/indexing.ts";
import { LISTS } from "./commands/lists.ts";
import { releaseAllLeases } from "./commands/release-leases.ts";
import { checkStoreSettings, createStore, type Store, type StoreSettings } from "./commands/store.ts";
import { checkOptions } from "./rules/check-options.ts";
import { GroupCommit } from "./store/group-commit.ts";
import { copyDatabase } from "./store/sqlite/backup.ts";
import { Database } from "./store/sqlite/database.ts";
import { checkDatabase } from "./store/sqlite/file.ts";
import { ListThreads } from "./store/sqlite/list-threads.ts";
import { Thread } from "./store/sqlite/thread.ts";
import type { ThreadRequest } from "./store/sqlite/thread-message.ts";
import { withoutWakeUps } from "./store/tx.ts";
import { storeClosed } from "./store/unavailable.ts";

/**
 * Milliseconds after the start until the engine repeats a delivery of a process that died: the endpoint may
 * still be at work, and can record its step in this time.
 */
const CRASH_GRACE = 1000;

/** The module of the store's threads, in the form that this one has: source or built. */
function threadModule(): URL {
  const { url } = import.meta;
  return new URL(url.endsWith(".ts") ? "./sqlite-thread.ts" : "./sqlite-thread.js", url);
}

/** Settings of a SQLite store. */
export interface SqliteSettings extends StoreSettings {
  /** Returns the time in milliseconds since 1970. Default: the machine's clock. */
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
 * @throws TypeError that names an unknown or invalid setting
 * @throws StoreUnavailable when another process uses the file, or it isn't a database of this engine
 * @example
 * ```ts
 * const engine = createEngine({ store: openSqlite("engine.db"), token, signingKeys });
 * ```
 */
export function openSqlite(file: string, options: SqliteSettings = {}): SqliteStore {
  if (typeof file !== "string" || file.trim() === "") throw mustBe("file", "the path of a file", file);
  checkOptions("openSqlite", options, "now warn excerptBytes");
  if (options.now !== undefined) checkFunction("now", options.now);
  checkStoreSettings(options);
  const { store, database } = openWithoutThreads(file, options);
  return database.path === undefined ? store : withThreads(store, database);
}

/** A store whose lists run on the thread of its writes. In a file, it can't fill the index of the search. */
export function openWithoutThreads(
  file: string,
  { now = Date.now, ...settings }: SqliteSettings = {},
): { readonly store: SqliteStore; readonly database: Database } {
  const database = new Database(file);
  if (database.warning !== undefined) (settings.warn ?? console.warn)(database.warning);
  const driver = new GroupCommit(database, database.reader());
  // Only this process uses the file: the owners of all leases are gone, and their attempts don't count. If
  // this write fails, the leases expire by themselves.
  driver.write((tx) => releaseAllLeases(withoutWakeUps(tx), now() + CRASH_GRACE)).catch(() => {});
  return { store: createSqliteStore(driver, settings), database };
}

/** Returns the store with operations that run lists and the indexing of texts in threads. */
function withThreads(store: SqliteStore, database: Database): SqliteStore {
  const { path } = database;
  const lists = new ListThreads(threadModule(), { path, work: "lists" });
  const index = new Thread(threadModule(), { path, work: "index" });
  let now: () => number = Date.now;
  let closed = false;
  const inThreads = <Table extends object>(
    table: Table,
    run: (request: ThreadRequest) => Promise<unknown>,
  ): Pick<SqliteStore, keyof Table & keyof SqliteStore> => {
    const operations = Object.keys(table).map((operation) => [
      operation,
      async (...args: unknown[]) => {
        // A file that was closed has no write-ahead log, which looks like a lost one.
        if (closed) throw storeClosed();
        database.check();
        return run({ operation, args, now: now() });
      },
    ]);
    return Object.fromEntries(operations);
  };
  return {
    ...store,
    ...inThreads(LISTS, (request) => lists.run(request)),
    ...inThreads(INDEXING, (request) => index.run(request)),
    get commits() {
      return store.commits;
    },
    useClock(clock) {
      now = clock;
      store.useClock(clock);
    },
    limitLists: (ms) => lists.limit(ms),
    async dropSearch() {
      // The threads have the file open that is deleted.
      await Promise.all([lists.end(), index.end()]);
      await store.dropSearch();
    },
    async close() {
      closed = true;
      await Promise.all([lists.close(), index.close()]);
      await store.close();
    },
  };
}

/** Creates the store of an open file. */
export function createSqliteStore(driver: GroupCommit, settings?: StoreSettings): SqliteStore {
  return {
    ...createStore(driver, settings),
    get commits() {
      return driver.commits;
    },
  };
}

/**
 * Copies a consistent snapshot of an engine's database to a file that only its owner can read. The engine may
 * run and write meanwhile, in this process or another.
 *
 * @param file the database
 * @param target the path of the copy, which must not exist yet
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
