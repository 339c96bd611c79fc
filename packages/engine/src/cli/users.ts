import { parse } from "node:path";
import { PUBLIC_USERS } from "@perdure/core/protocol";
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

/** The user's name in a token; tokens that hold none are their owner's own affair. */
export function userOf(token: string): string {
  try {
    const { UserID } = JSON.parse(Buffer.from(token, "base64").toString()) as { UserID?: unknown };
    if (typeof UserID === "string" && UserID !== "") return UserID;
  } catch {
    // Not a token of this kind.
  }
  return "default";
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
