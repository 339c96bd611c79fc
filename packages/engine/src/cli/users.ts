import { parse } from "node:path";
import { DEV_CREDENTIALS } from "@perdure/core/protocol";
import type { Config } from "../config.ts";
import type { SigningKeys } from "../delivery/signer.ts";
import type { Tenant } from "../server.ts";

interface PublicUser {
  readonly token: string;
  readonly signingKeys: SigningKeys;
}

/** The users that every development server has. Everybody knows their tokens and keys. */
export const PUBLIC_USERS: readonly PublicUser[] = [
  {
    token: DEV_CREDENTIALS.token,
    signingKeys: { current: DEV_CREDENTIALS.currentSigningKey, next: DEV_CREDENTIALS.nextSigningKey },
  },
  {
    token: "eyJVc2VySUQiOiJ0ZXN0VXNlcjEiLCJQYXNzd29yZCI6InRlc3RQYXNzd29yZCJ9",
    signingKeys: { current: "sig_7GVPjvuwsfqF65iC8fSrs1dfYruM", next: "sig_5NoELc3EFnZn4DVS5bDs2Nk4b7Ua" },
  },
  {
    token: "eyJVc2VySUQiOiJ0ZXN0VXNlcjIiLCJQYXNzd29yZCI6InRlc3RQYXNzd29yZCJ9",
    signingKeys: { current: "sig_6jWGaWRxHsw4vMSPJprXadyvrybF", next: "sig_7qHbvhmahe5GwfePDiS5Lg3pi6Qx" },
  },
  {
    token: "eyJVc2VySUQiOiJ0ZXN0VXNlcjMiLCJQYXNzd29yZCI6InRlc3RQYXNzd29yZCJ9",
    signingKeys: { current: "sig_5T8FcSsynBjn9mMLBsXhpacRovJf", next: "sig_7GFR4YaDshFcqsxWRZpRB161jguD" },
  },
];

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

function toTenant({ token, signingKeys }: PublicUser, db: string): Tenant {
  const user = userOf(token);
  return { user, token, signingKeys, store: beside(db, user), lazy: true };
}

/** `dev.db` and `somebody` make `dev.somebody.db`. */
export function beside(db: string, user: string): string {
  if (db === ":memory:") return db;
  const { dir, name, ext } = parse(db);
  return `${dir === "" ? "" : `${dir}/`}${name}.${encodeURIComponent(user)}${ext}`;
}
