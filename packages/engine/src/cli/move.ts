import { moveDatabase } from "../move-database.ts";
import type { MoveProgress } from "../store/move/copy.ts";
import { isPostgresUrl, withoutPassword } from "../store/postgres/location.ts";
import { refuseUrl } from "../store/sqlite/file.ts";
import { StoreUnavailable } from "../store/unavailable.ts";
import { giveUp } from "./listen.ts";
import { type Env, SETTINGS } from "./settings.ts";
import { ConfigError } from "./values.ts";

/** The flags of `perdure move`. */
export interface MoveFlags {
  readonly from?: string;
  readonly to?: string;
}

/** Runs `perdure move --from FILE --to postgres://…`, or the other way round. */
export async function move(flags: MoveFlags): Promise<void> {
  try {
    const { from, to } = endsOf(flags, process.env);
    console.log(`Moving ${shown(from)} to ${shown(to)}`);
    const moved = await moveDatabase({ from, to, onProgress: report });
    const rows = moved.reduce((sum, table) => sum + table.rows, 0);
    console.log(`Moved ${moved.length} tables with ${rows} rows. Each table is the same in both databases.`);
    console.log(`Start the engine with ${shown(to)} now. Engines refuse the old database from now on.`);
  } catch (error) {
    if (error instanceof StoreUnavailable || error instanceof ConfigError) return giveUp(error.message);
    throw error;
  }
}

/** A URL may come from the environment: other users of the machine see the arguments of a command. */
function endsOf({ from, to }: MoveFlags, env: Env): { readonly from: string; readonly to: string } {
  const configured = env[SETTINGS.db.start.env] || undefined;
  const ends = { from: from ?? (to ? configured : undefined), to: to ?? (from ? configured : undefined) };
  if (ends.from !== undefined && ends.to !== undefined) return { from: ends.from, to: ends.to };
  throw new ConfigError(
    "perdure move needs the database to move and its target: --from <file> --to postgres://… Either flag may be left out for the database of PERDURE_DB.",
  );
}

/** @throws StoreUnavailable for a URL of another kind of database */
function shown(database: string): string {
  if (isPostgresUrl(database)) return withoutPassword(database);
  refuseUrl(database);
  return database;
}

function report({ doing, table, rows, done }: MoveProgress): void {
  const said = doing === "copy" ? "copied" : "compared";
  if (!done) console.log(`${table}: ${rows} rows ${said} so far`);
  else if (doing === "compare") console.log(`${table}: ${rows} rows copied and compared`);
}
