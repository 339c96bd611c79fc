import { resolve } from "node:path";
import type postgres from "postgres";
import { releaseAllLeases } from "./commands/release-leases.ts";
import { checkOptions } from "./rules/check-options.ts";
import { GroupCommit } from "./store/group-commit.ts";
import { migrations } from "./store/migrations.ts";
import { copyTables, type MovedTable, type MoveProgress } from "./store/move/copy.ts";
import { postgresEnd } from "./store/move/postgres.ts";
import { sqliteEnd } from "./store/move/sqlite.ts";
import type { MoveEnd } from "./store/move/table.ts";
import { markMoved } from "./store/moved.ts";
import { ClientSession, createClient } from "./store/postgres/client.ts";
import { failureOf } from "./store/postgres/faults.ts";
import { liveEngines } from "./store/postgres/instances.ts";
import { isPostgresUrl, readLocation, withoutPassword } from "./store/postgres/location.ts";
import { migrate, refuseForeign } from "./store/postgres/migrate.ts";
import { Transaction } from "./store/postgres/transaction.ts";
import { createFilled, Database } from "./store/sqlite/database.ts";
import { checkDatabase, openReader } from "./store/sqlite/file.ts";
import { sql, type Tx, withoutWakeUps } from "./store/tx.ts";
import { StoreUnavailable } from "./store/unavailable.ts";

/** The two databases of a move. */
export interface MoveOptions {
  /** The database with the data: a file, or the URL of a PostgreSQL database. */
  readonly from: string;
  /** Where it goes: the URL of an empty PostgreSQL database, or a file that doesn't exist. */
  readonly to: string;
  /** Called as rows are copied and compared: at each table's end, and once a second within a large one. */
  readonly onProgress?: (progress: MoveProgress) => void;
}

/** The end of a move's source, with what remains to be done there after the target has everything. */
interface Source {
  readonly end: MoveEnd;
  /** Makes the database refuse engines from now on. */
  markMoved(to: string): Promise<void>;
}

/**
 * Moves everything that an engine has stored to another database: from a SQLite file to PostgreSQL, or back. No engine may
 * use either of them meanwhile.
 *
 * 1. The source refuses writes until the end.
 * 2. The leases of the engine that used the source end, as they do when an engine starts.
 * 3. One transaction copies all tables into the target, reads them again and compares them with the source. If anything
 *    fails, the target is as it was.
 * 4. The source is marked: engines that are still configured for it refuse to start, and say where the data is.
 *
 * @returns the tables with their numbers of rows, all of them the same in both databases
 * @throws StoreUnavailable when an engine uses one of the databases, the source isn't an engine's, the target isn't empty, or a row can't be copied
 * @example
 * ```ts
 * await moveDatabase({ from: "engine.db", to: "postgres://perdure:secret@localhost:5432/perdure" });
 * ```
 */
export async function moveDatabase(options: MoveOptions): Promise<readonly MovedTable[]> {
  checkOptions("moveDatabase", options, "from to onProgress");
  const { from, to, onProgress = () => {} } = options;
  if (isPostgresUrl(from) === isPostgresUrl(to)) {
    throw new StoreUnavailable(
      "A move goes from a file to PostgreSQL, or from PostgreSQL to a file. To copy a file use perdure backup, and between PostgreSQL servers pg_dump.",
    );
  }
  const useSource = isPostgresUrl(from) ? usePostgres : useFile;
  const fillTarget = isPostgresUrl(to) ? fillPostgres : fillFile;
  return useSource(from, async (source) => {
    const moved = await fillTarget(to, (target) => copyTables(source.end, target, onProgress));
    await source.markMoved(isPostgresUrl(to) ? withoutPassword(to) : resolve(to));
    return moved;
  });
}

async function useFile<T>(file: string, work: (source: Source) => Promise<T>): Promise<T> {
  // Otherwise it would be created.
  checkDatabase(file);
  const database = new Database(file);
  const driver = new GroupCommit(database);
  try {
    await driver.write((tx) => releaseAllLeases(withoutWakeUps(tx), tx.now));
    const reader = openReader(database.path ?? file);
    try {
      return await work({
        end: sqliteEnd(reader),
        markMoved: (to) => driver.write((tx) => markMoved(tx, to)),
      });
    } finally {
      reader.close();
    }
  } finally {
    await driver.close();
  }
}

function fillFile<T>(file: string, work: (target: MoveEnd) => Promise<T>): Promise<T> {
  return createFilled(file, (db) => work(sqliteEnd(db)));
}

function usePostgres<T>(url: string, work: (source: Source) => Promise<T>): Promise<T> {
  return inTransaction(url, "source", async (client) => {
    const tx = txOf(client);
    await releaseAllLeases(tx, tx.now);
    return work({ end: await postgresEnd(client), markMoved: (to) => markMoved(tx, to) });
  });
}

function fillPostgres<T>(url: string, work: (target: MoveEnd) => Promise<T>): Promise<T> {
  return inTransaction(url, "target", async (client) => {
    const tx = txOf(client);
    // An engine that has only started leaves nothing else.
    await tx.run(sql`DELETE FROM settings WHERE name = 'probe'`);
    const end = await postgresEnd(client);
    const result = await work(end);
    // Without statistics, the first queries of the engines would read whole tables.
    for (const { name } of end.tables) await client.unsafe(`ANALYZE "${name}"`);
    return result;
  });
}

/** Runs `work` in one transaction, which keeps engines from starting until its end. A target gets its tables before. */
async function inTransaction<T>(
  url: string,
  side: "source" | "target",
  work: (client: postgres.TransactionSql) => Promise<T>,
): Promise<T> {
  const location = readLocation(url);
  const session = new ClientSession(location, { name: "perdure migrate", silence: Number.POSITIVE_INFINITY });
  try {
    if (side === "source") await refuseForeign(session, location.schema);
    await migrate(session, migrations("postgres"), location.schema);
  } finally {
    await session.close();
  }
  const client = createClient(location, { name: "perdure move" });
  try {
    const result = await client.begin(async (transaction) => {
      for (const limit of ["statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"])
        await transaction.unsafe(`SET LOCAL ${limit} = 0`);
      // An engine's first statement is its heartbeat, which waits for this.
      await transaction.unsafe("LOCK TABLE engines IN EXCLUSIVE MODE");
      const engines = await txOf(transaction).all<{ readonly id: string }>(liveEngines());
      if (engines.length > 0) {
        throw new StoreUnavailable(
          `The database ${withoutPassword(url)} is in use by ${engines.length} ${engines.length === 1 ? "engine" : "engines"}. Stop them first.`,
        );
      }
      return work(transaction);
    });
    return result as T;
  } catch (cause) {
    throw failureOf(cause);
  } finally {
    await client.end({ timeout: 1 });
  }
}

/** The transaction as the engine's commands see it. */
function txOf(client: postgres.TransactionSql): Tx {
  const transaction = new Transaction({
    losses: 0,
    connect: async () => {},
    close: async () => {},
    async query(text, values) {
      const result = await client.unsafe(text, [...values]);
      return { rows: result, changes: result.count };
    },
  });
  return withoutWakeUps(transaction.tx(Date.now()));
}
