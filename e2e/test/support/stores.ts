import { openPostgres, openSqlite, type Store } from "@perdure/engine";
import { ON_POSTGRES } from "@perdure/test-support/mode";
import { newDatabase } from "@perdure/test-support/postgres-database";

/** The databases that stand for files. */
const databases = new Map<string, string>();

/** Opens a store on the database of the vitest project that runs. On PostgreSQL, the path of a file is only a name. */
export async function openStore(file: string): Promise<Store> {
  if (!ON_POSTGRES) return openSqlite(file);
  const url = databases.get(file) ?? newDatabase();
  if (file !== ":memory:") databases.set(file, url);
  return openPostgres(`${url}&connections=4`);
}
