import { existsSync, statSync } from "node:fs";
import { backupSqlite } from "../open-sqlite.ts";
import { isPostgresUrl } from "../store/postgres/location.ts";
import { StoreUnavailable } from "../store/unavailable.ts";
import { giveUp } from "./listen.ts";
import { type Env, SETTINGS } from "./settings.ts";
import { ConfigError } from "./values.ts";

/** The flags of `perdure backup`. */
export interface BackupFlags {
  readonly db?: string;
}

/** Runs `perdure backup FILE`: copies a database, even while an engine uses it. */
export async function backup(target: string, flags: BackupFlags): Promise<void> {
  try {
    const db = databaseOf(flags, process.env);
    if (isPostgresUrl(db)) {
      throw new ConfigError(
        "perdure backup copies a database in a file. For PostgreSQL use pg_dump: docs/postgres.md",
      );
    }
    await backupSqlite(db, target);
    console.log(`Copied ${db} to ${target}: ${statSync(target).size} bytes.`);
  } catch (error) {
    if (error instanceof StoreUnavailable || error instanceof ConfigError) return giveUp(error.message);
    throw error;
  }
}

/**
 * Finds the database to copy: `--db`, else `PERDURE_DB`, else the database that `perdure start` or
 * `perdure dev` made in this folder.
 */
function databaseOf({ db }: BackupFlags, env: Env): string {
  const named = db || env[SETTINGS.db.start.env];
  if (named) return named;
  const { start, dev } = SETTINGS.db;
  const found = [start.default, dev.default].filter((path) => existsSync(path));
  const [only] = found;
  if (only !== undefined && found.length === 1) return only;
  throw new ConfigError(
    only === undefined
      ? `There is no database at ${start.default} or ${dev.default}. Name the one to copy with --db <file>.`
      : `There are two databases, ${start.default} of perdure start and ${dev.default} of perdure dev. Name the one to copy with --db <file>.`,
  );
}
