import { StoreUnavailable } from "../unavailable.ts";

/** A PostgreSQL database, as its URL names it. */
export interface PostgresLocation {
  /** The URL without the engine's own parameters. It may hold a password. */
  readonly url: string;
  /** Connections of one engine. */
  readonly connections: number;
  /** The schema with the engine's tables. The server's search path chooses it by default. */
  readonly schema: string | undefined;
  /** True behind PgBouncer or a pooler like it: no settings of a session, no prepared statements, no LISTEN. */
  readonly pooled: boolean;
}

/** Connections of one engine by default. */
export const DEFAULT_CONNECTIONS = 10;

/** An engine needs a connection to write and one to read. */
const MIN_CONNECTIONS = 2;

/** The parameters of a URL. The driver would send any other to the server as a setting. */
const KNOWN = ["connections", "schema", "pgbouncer", "sslmode", "application_name", "options"];

/** Parts of a URL that libpq also takes as parameters. */
const PARTS = ["user", "username", "password", "host", "hostaddr", "port", "dbname", "database"];

const FORM = "postgres://user:password@host:5432/database";

/** The modes that the driver knows. It has no `allow`, which would encrypt only where the server asks for it. */
const SSL_MODES = ["disable", "prefer", "require", "verify-ca", "verify-full"];

/** A name that needs no quotation. */
const SCHEMA = /^[a-z_][a-z0-9_]{0,62}$/;

/** Whether the name of a database is the URL of a PostgreSQL database, not the path of a file. */
export function isPostgresUrl(db: string): boolean {
  return /^postgres(?:ql)?:\/\//i.test(db);
}

/**
 * Reads the URL of a database. The parameters `connections`, `schema` and `pgbouncer` are the engine's; `sslmode`,
 * `application_name` and `options` go to the server and its client, as in any PostgreSQL URL. There are no others.
 *
 * @throws StoreUnavailable that names a parameter, but never shows the value of one that it doesn't know
 */
export function readLocation(text: string): PostgresLocation {
  const url = parse(text);
  checkParameters(url);
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
  const sslmode = url.searchParams.get("sslmode");
  if (sslmode !== null && !SSL_MODES.includes(sslmode))
    throw invalid(`sslmode must be one of ${SSL_MODES.join(", ")}; got "${sslmode}"`);
  const pooled = pgbouncer === "true";
  if (pooled && schema !== undefined)
    throw invalid(
      "schema can't be used with pgbouncer=true: PgBouncer passes no search path on. Set the search path of the database's user instead",
    );
  return { url: url.href, connections: Number(connections), schema, pooled };
}

function checkParameters(url: URL): void {
  if (isCutShort(url) || url.hash !== "")
    throw invalid('a user, password or name must have "/" as %2F, "?" as %3F, "#" as %23 and "@" as %40');
  for (const name of new Set(url.searchParams.keys())) {
    if (PARTS.includes(name.toLowerCase()))
      throw invalid(`"${name}" is no parameter. Put user and password before the @: ${FORM}`);
    if (!KNOWN.includes(name))
      throw invalid(
        `there is no parameter "${shownName(name)}". Possible are ${KNOWN.join(", ")}; a setting of the server is options=-c%20NAME=VALUE`,
      );
    if (url.searchParams.getAll(name).length > 1) throw invalid(`it has the parameter ${name} twice`);
  }
}

/** Whether a password with an unescaped "/", "?" or "#" has ended the address: the rest of it is elsewhere in the URL. */
function isCutShort({ username, password, pathname, search, hash }: URL): boolean {
  return username === "" && password === "" && `${pathname}${search}${hash}`.includes("@");
}

/** A parameter's name. An odd one may be a part of a password. */
function shownName(name: string): string {
  return /^\w+$/.test(name) ? name : HIDDEN;
}

const HIDDEN = "***";

/** The URL without its password and without the values of parameters that aren't known, for logs. */
export function withoutPassword(text: string): string {
  const url = parse(text);
  if (isCutShort(url)) return `${url.protocol}//${HIDDEN}`;
  if (url.password !== "") url.password = HIDDEN;
  if (url.hash !== "") url.hash = HIDDEN;
  const parameters = [...url.searchParams].map(([name, value]) =>
    KNOWN.includes(name) ? [name, value] : [shownName(name), HIDDEN],
  );
  url.search = new URLSearchParams(parameters).toString();
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
    throw invalid(`it can't be parsed. Expected ${FORM}`);
  }
}

function invalid(reason: string): StoreUnavailable {
  return new StoreUnavailable(`The database's URL can't be used: ${reason}.`);
}
