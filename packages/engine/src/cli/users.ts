import { parse } from "node:path";
import { PUBLIC_USERS, userIdIn } from "@perdure/core/protocol";
import type { Tenant } from "../server.ts";
import type { Config } from "./dev-config.ts";

/**
 * The users of a development server: whoever is configured, and, as long as nothing there is secret, the other public
 * ones. Each of those has a database beside the first one, once it is used.
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

/** `dev.db` and `somebody` make `dev.somebody.db`. */
export function beside(db: string, user: string): string {
  if (db === ":memory:") return db;
  const { dir, name, ext } = parse(db);
  return `${dir === "" ? "" : `${dir}/`}${name}.${encodeURIComponent(user)}${ext}`;
}
