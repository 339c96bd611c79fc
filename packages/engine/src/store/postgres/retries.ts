import type { RetryReason } from "../maintenance.ts";
import type { LockKind } from "../tx.ts";
import { CommitUnknown, StoreUnavailable } from "../unavailable.ts";

/** An operation can't get a lock at once, and must not wait for it, because its transaction holds other operations' locks. */
export class LockBusy extends Error {
  override name = "LockBusy";

  constructor(kind: LockKind, keys: readonly string[]) {
    super(`Another transaction has a lock of ${kind} ${keys.map((key) => JSON.stringify(key)).join(", ")}.`);
  }
}

/** The connection was lost before the commit, so the transaction has changed nothing. */
export class ConnectionLost extends StoreUnavailable {
  constructor() {
    super("The connection to the database was lost.");
  }
}

/** The codes of errors after which the connection is gone. */
const LOSS = /^(?:08|57P0|25P03|25006|E(?:CONN|PIPE|HOST|NET|TIMEDOUT|AI_AGAIN)|CONNECT)/;

/** The errors (SQLSTATE) after which the same operation, done again, may succeed. */
const REASONS: Readonly<Record<string, RetryReason>> = {
  "40001": "serialization",
  "40P01": "deadlock",
  "55P03": "lock",
  // Another engine has inserted the same key meanwhile: now the operation finds it.
  "23505": "duplicate",
  // A migration by a newer engine has changed a table that a prepared statement reads.
  "0A000": "plan",
};

/** Why an operation that failed with this error is done again; `undefined` when it isn't. */
export function retryReason(error: unknown): RetryReason | undefined {
  if (error instanceof LockBusy) return "lock";
  if (error instanceof CommitUnknown) return undefined;
  if (error instanceof ConnectionLost) return "connection";
  const code = codeOf(error);
  return LOSS.test(code) ? "connection" : REASONS[code];
}

/** True for the error of a statement that the server has ended, because its time was over. */
export function isTimeout(error: unknown): boolean {
  return codeOf(error) === "57014";
}

function codeOf(error: unknown): string {
  const { code } = Object(error instanceof StoreUnavailable ? error.cause : error) as {
    readonly code?: unknown;
  };
  return String(code ?? "");
}
