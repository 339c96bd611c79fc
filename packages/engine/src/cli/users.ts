import { parse } from "node:path";
import { PUBLIC_USERS, userIdIn } from "@perdure/core/protocol";
import type { Tenant } from "../server.ts";
import { besideInPostgres, isPostgresUrl } from "../store/postgres/location.ts";
import type { Config } from "./dev-config.ts";

/**
 * Returns the users of a development server: the configured user and, while all credentials are public, the
 * other public users. The server creates a database beside the first for each of them on first use.
 */
export function devTenants({ token, signingKeys, db }: Config): readonly Tenant[] {
  const first: Tenant = { user: userOf(token), token, signingKeys, store: db };
  const open = PUBLIC_USERS.some(
    (user) => user.token === token && user.signingKeys.current === signingKeys.current,
  );
  if (!open) return [first];
  const others = PUBLIC_USERS.filter((user) => user.token !== token);
  return [first, ...others.map((user) => toTenant(user, db))];
}

/** Returns the user in a token; `default` for a token of another form. */
export function userOf(token: string): string {
  return userIdIn(token) || "default";
}

function toTenant({ token, signingKeys }: (typeof PUBLIC_USERS)[number], db: string): Tenant {
  const user = userOf(token);
  return { user, token, signingKeys, store: beside(db, user), lazy: true };
}

/**
 * Returns the database of a further user: the file `dev.alice.db` for `dev.db` and `alice`; in PostgreSQL a schema of the
 * same database.
 */
export function beside(db: string, user: string): string {
  if (db === ":memory:") return db;
  if (isPostgresUrl(db)) return besideInPostgres(db, user);
  const { dir, name, ext } = parse(db);
  return `${dir === "" ? "" : `${dir}/`}${name}.${encodeURIComponent(user)}${ext}`;
}
