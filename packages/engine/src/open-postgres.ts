import { createStore, type Store, type StoreSettings } from "./commands/store.ts";
import { GroupCommit } from "./store/group-commit.ts";
import { migrations } from "./store/migrations.ts";
import { PostgresConnection, type PostgresSession } from "./store/postgres/connection.ts";
import { StoreUnavailable } from "./store/unavailable.ts";

/**
 * Opens a store in a PostgreSQL database, over one session.
 *
 * @throws StoreUnavailable when a newer version of the engine has written the database
 */
export async function openPostgres(session: PostgresSession, settings: StoreSettings = {}): Promise<Store> {
  await migrate(session);
  return createStore(new GroupCommit(new PostgresConnection(session)), settings);
}

async function migrate(session: PostgresSession): Promise<void> {
  await session.query("CREATE TABLE IF NOT EXISTS schema_version (version integer NOT NULL)", []);
  const { rows } = await session.query("SELECT max(version) AS version FROM schema_version", []);
  const version = (rows[0] as { version: number | null }).version ?? 0;
  const known = migrations("postgres");
  if (version > known.length) {
    throw new StoreUnavailable(
      `The database was written by a newer version of the engine (schema ${version}; this one knows ${known.length}).`,
    );
  }
  for (const migration of known.slice(version)) {
    for (const statement of migration.split(/;\n/)) {
      if (statement.trim() !== "") await session.query(statement, []);
    }
  }
  if (version < known.length) {
    await session.query("INSERT INTO schema_version (version) VALUES ($1)", [known.length]);
  }
}
