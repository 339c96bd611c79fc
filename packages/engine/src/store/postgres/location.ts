import { StoreUnavailable } from "../unavailable.ts";

/** A PostgreSQL database, as its URL names it. */
export interface PostgresLocation {
  /** The URL without the engine's own parameters. It may hold a password. */
  readonly url: string;
  /** Connections of one engine. */
  readonly connections: number;
  /** The schema with the engine's tables. The server's search path chooses it by default. */
  readonly schema: string | undefined;
  /** True behind a pooler in transaction mode, such as PgBouncer: no prepared statements, no LISTEN. */
  readonly pooled: boolean;
}

/** Connections of one engine by default. */
export const DEFAULT_CONNECTIONS = 10;

/** An engine needs a connection to write and one to read. */
const MIN_CONNECTIONS = 2;

/** A name that needs no quotation. */
const SCHEMA = /^[a-z_][a-z0-9_]{0,62}$/;

/** Whether the name of a database is the URL of a PostgreSQL database, not the path of a file. */
export function isPostgresUrl(db: string): boolean {
  return /^postgres(?:ql)?:\/\//i.test(db);
}

/**
 * Reads the URL of a database. The parameters `connections`, `schema` and `pgbouncer` are the engine's; all others go to
 * the server and its client, as in any PostgreSQL URL.
 *
 * @throws StoreUnavailable that names a parameter without the URL's password
 */
export function readLocation(text: string): PostgresLocation {
  const url = parse(text);
  const take = (name: string): string | undefined => {
    const value = url.searchParams.get(name) ?? undefined;
    url.searchParams.delete(name);
    return value;
  };
  const connections = take("connections") ?? String(DEFAULT_CONNECTIONS);
  const schema = take("schema");
  const pgbouncer = take("pgbouncer") ?? "false";
  if (!/^\d+$/.test(connections) || Number(connections) < MIN_CONNECTIONS)
    throw invalid(`connections must be a number from ${MIN_CONNECTIONS}; got "${connections}"`);
  if (schema !== undefined && !SCHEMA.test(schema))
    throw invalid(`schema must be a name of lower-case letters, digits and "_"; got "${schema}"`);
  if (pgbouncer !== "true" && pgbouncer !== "false")
    throw invalid(`pgbouncer must be "true" or "false"; got "${pgbouncer}"`);
  const pooled = pgbouncer === "true";
  if (pooled && schema !== undefined)
    throw invalid(
      "schema can't be used with pgbouncer=true: a pooler in transaction mode keeps no search path. Set the search path of the database's user instead",
    );
  return { url: url.href, connections: Number(connections), schema, pooled };
}

/** The URL without its password, for logs. */
export function withoutPassword(text: string): string {
  const url = parse(text);
  if (url.password !== "") url.password = "***";
  return url.href;
}

/**
 * The URL of a further user's database: the same one, with a schema of the user's.
 *
 * @throws StoreUnavailable for a name that can't be a schema's
 */
export function besideInPostgres(text: string, user: string): string {
  const url = parse(text);
  if (!SCHEMA.test(user)) {
    throw invalid(
      `the user "${user}" needs a "db" of its own, because its name can't be the name of a schema`,
    );
  }
  url.searchParams.set("schema", user);
  return url.href;
}

function parse(text: string): URL {
  try {
    return new URL(text);
  } catch {
    // The text may hold a password, so the error doesn't show it.
    throw invalid("it can't be parsed. Expected postgres://user:password@host:5432/database");
  }
}

function invalid(reason: string): StoreUnavailable {
  return new StoreUnavailable(`The database's URL can't be used: ${reason}.`);
}
