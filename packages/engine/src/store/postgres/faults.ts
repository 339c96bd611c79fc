import { messageOf } from "../../rules/thrown.ts";
import { StoreUnavailable } from "../unavailable.ts";

/** Why a server can't be used now, by the codes of its errors (SQLSTATE) and those of a connection that is lost. */
const REASONS: readonly (readonly [RegExp, string])[] = [
  [/^53100$/, "its disk is full"],
  [/^53200$/, "its server is out of memory"],
  [/^53300$/, "its server has too many connections"],
  [/^53/, "its server lacks resources"],
  [/^25006$/, "it is read-only: is it a standby?"],
  [/^57P0/, "its server is starting, stopping or was stopped"],
  [/^25P03$/, "the server has ended a transaction that was idle for too long"],
  [/^57014$/, "a statement took too long"],
  [/^55P03$/, "a statement waited for a lock for too long"],
  [
    /^26000$|^42P05$/,
    "it has lost a prepared statement. Behind PgBouncer or another pooler, add pgbouncer=true to the URL",
  ],
  [/^28/, "it has refused the user or the password"],
  [/^3D000$/, "the server has no such database"],
  [/^42501$/, "its user lacks a right: docs/postgres.md says which ones an engine needs"],
  [/^3F000$/, "its user may use no schema of the search path"],
  [/^58/, "its server can't read or write its files"],
  [/^XX00[12]$/, "it is damaged: restore a backup"],
  // PgBouncer refuses the settings of a session with it.
  [
    /^08P01$/,
    "the server, or a pooler before it, has refused the connection. Behind PgBouncer, in whatever mode, add pgbouncer=true to the URL",
  ],
  [/^08|^E(?:CONN|HOST|NET|PIPE|TIMEDOUT)|^CONNECT/, "its server can't be reached"],
  // A name server may be away for a moment, as the database may.
  [/^ENOTFOUND$|^EAI_/, "the name of its server can't be looked up"],
  [/CERT|^ERR_TLS|^ERR_SSL|^UNABLE_TO_/, "its server's certificate isn't trusted"],
];

/**
 * Node's message when a server ends the connection as TLS begins, as one without TLS does. The code is that of any lost
 * connection.
 */
const NO_TLS = /before secure TLS connection was established/;

/** The error of a statement: a StoreUnavailable where the fault is the server's, not the statement's. */
export function failureOf(cause: unknown): unknown {
  const { code } = Object(cause) as { readonly code?: unknown };
  const reason = NO_TLS.test(messageOf(cause))
    ? "its server seems to offer no TLS, which the URL's sslmode asks for"
    : REASONS.find(([pattern]) => pattern.test(String(code ?? "")))?.[1];
  if (reason === undefined) return cause;
  return new StoreUnavailable(`The database can't be used: ${reason} (${messageOf(cause)}).`, { cause });
}
