import { migrations } from "../migrations.ts";
import { MOVED, refuseMoved } from "../moved.ts";
import { StoreUnavailable } from "../unavailable.ts";
import { LOCK_TIMEOUT_MS } from "./client.ts";
import type { PostgresSession } from "./session.ts";

/**
 * Brings the tables to the newest schema. Engines that start together do so one after the other, in one transaction each.
 *
 * An engine accepts a schema that is one version newer than its own, so that engines of two versions run side by side
 * during an update. A migration therefore never takes away what the version before it needs.
 *
 * @param schema created first, if the database hasn't got it
 * @throws StoreUnavailable when the schema is newer than that, the data has moved to another database, or its encoding isn't UTF8
 */
export async function migrate(
  session: PostgresSession,
  known: readonly string[] = migrations("postgres"),
  schema?: string,
): Promise<void> {
  await session.connect();
  await session.query("BEGIN ISOLATION LEVEL READ COMMITTED", []);
  try {
    await checkEncoding(session);
    await lock(session, schema);
    const version = (await hasTables(session, schema)) ? await versionOf(session) : 0;
    if (version > known.length + 1) {
      throw new StoreUnavailable(
        `The database was written by a newer version of the engine (schema ${version}; this one knows ${known.length}, and accepts ${known.length + 1}).`,
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
    const moved = await session.query(MOVED, []);
    refuseMoved(moved.rows[0]);
    await session.query("COMMIT", []);
  } catch (error) {
    await session.query("ROLLBACK", []).catch(() => {});
    throw error;
  }
}

/** Tables of every version of the engine. Other programs have a `schema_version`, too. */
const OWN_TABLES = ["schema_version", "runs", "engines"];

/**
 * Refuses a schema that no engine has used, where {@link migrate} would create the tables. It only reads.
 *
 * @throws StoreUnavailable that names the schema
 */
export async function refuseForeign(session: PostgresSession, schema?: string): Promise<void> {
  await session.connect();
  for (const name of OWN_TABLES) {
    if (await hasTable(session, name)) continue;
    const { rows } = await session.query("SELECT current_schema() AS name", []);
    const { name: current } = rows[0] as { readonly name: string | null };
    throw new StoreUnavailable(
      `The database has no tables of an engine in the schema "${schema ?? current}". Check the database's name in the URL, and the parameter "schema".`,
    );
  }
}

/** @throws StoreUnavailable for a database that can't hold every text */
async function checkEncoding(session: PostgresSession): Promise<void> {
  const { rows } = await session.query("SELECT current_setting('server_encoding') AS name", []);
  const { name } = rows[0] as { readonly name: string };
  if (name !== "UTF8") {
    throw new StoreUnavailable(
      `The database's encoding is ${name}, and the engine needs UTF8: CREATE DATABASE perdure ENCODING 'UTF8' TEMPLATE template0.`,
    );
  }
}

/**
 * Makes the schema and the table of its version, where they are missing: even with `IF NOT EXISTS` the server asks for the right to
 * create them, which an engine doesn't need once it has its tables.
 *
 * @returns whether the table was there
 */
async function hasTables(session: PostgresSession, schema: string | undefined): Promise<boolean> {
  if (schema !== undefined && !(await isThere(session, "to_regnamespace($1)", schema)))
    await session.query(`CREATE SCHEMA "${schema}"`, []);
  if (await hasTable(session, "schema_version")) return true;
  await session.query("CREATE TABLE schema_version (version integer NOT NULL)", []);
  return false;
}

function hasTable(session: PostgresSession, name: string): Promise<boolean> {
  return isThere(session, "to_regclass(quote_ident(current_schema()) || $1)", `.${name}`);
}

async function isThere(session: PostgresSession, found: string, name: string): Promise<boolean> {
  const { rows } = await session.query(`SELECT ${found} IS NOT NULL AS found`, [name]);
  return (rows[0] as { readonly found: boolean }).found;
}

async function versionOf(session: PostgresSession): Promise<number> {
  const { rows } = await session.query("SELECT max(version) AS version FROM schema_version", []);
  return (rows[0] as { readonly version: number | null }).version ?? 0;
}

/** Waits for the engines that migrate this schema, as long as they take, and lets a migration of large tables take its time. */
async function lock(session: PostgresSession, schema: string | undefined): Promise<void> {
  await session.query("SET LOCAL lock_timeout = 0", []);
  await session.query("SET LOCAL statement_timeout = 0", []);
  // The lock ends with the transaction, so it also works through a pooler.
  await session.query(
    "SELECT pg_advisory_xact_lock(hashtext('perdure migrate'), hashtext(coalesce($1::text, current_schema()::text)))",
    [schema ?? null],
  );
  // A migration that waits for a lock holds up all statements behind it.
  await session.query(`SET LOCAL lock_timeout = ${LOCK_TIMEOUT_MS}`, []);
}
