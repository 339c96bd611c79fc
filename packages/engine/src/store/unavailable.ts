/**
 * The engine can't open or use a database: another engine uses it, it isn't a database of this engine, or it
 * is broken, closed or full. The message says which.
 */
export class StoreUnavailable extends Error {
  override name = "StoreUnavailable";
}

/** The error of each operation on a store that was closed. */
export function storeClosed(): StoreUnavailable {
  return new StoreUnavailable("The store is closed.");
}

/** The connection was lost during a commit. The driver doesn't do the operation again: it may have happened. */
export class CommitUnknown extends StoreUnavailable {
  constructor(cause: unknown) {
    super("The connection to the database was lost during a commit: the change may or may not be stored.", {
      cause,
    });
  }
}
