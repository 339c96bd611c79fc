import { statSync } from "node:fs";
import { backupSqlite } from "../open-sqlite.ts";
import { StoreUnavailable } from "../store/unavailable.ts";
import { giveUp } from "./listen.ts";

/** `perdure backup FILE`: copies a database, also while an engine uses it. */
export async function backup(target: string, flags: { readonly db?: string }): Promise<void> {
  const db = flags.db || process.env.PERDURE_DB || ".perdure/perdure.db";
  try {
    await backupSqlite(db, target);
  } catch (error) {
    if (error instanceof StoreUnavailable) return giveUp(error.message);
    throw error;
  }
  console.log(`Copied ${db} to ${target}: ${statSync(target).size} bytes.`);
}
