import type { Observer } from "../rules/event.ts";
import type { Backup, StateCount } from "./maintenance.ts";
import type { PlainEnd } from "./tables/plain-ends.ts";
import type { PlainAppend } from "./tables/run-leases.ts";
import type { Tx } from "./tx.ts";

/** Runs transactions on a database. The engine has one driver for each kind of database. */
export interface Driver {
  /**
   * Runs `work` in a transaction. Transactions that arrive together may share one commit; each is atomic by
   * itself.
   *
   * @returns a promise of the result of `work`, once the transaction is durable
   */
  write<T>(work: (tx: Tx) => Promise<T>): Promise<T>;

  /** Runs `work`, which must change nothing, on one consistent view of the committed data. */
  read<T>(work: (tx: Tx) => Promise<T>): Promise<T>;

  /**
   * Stores records of invocations that know the whole histories of their runs, those of each run all or none, faster than a
   * transaction does. It leaves out what needs a transaction to decide. Absent where a transaction is as fast.
   *
   * @param appends each for another run
   * @param note records and counts what has happened
   * @returns the places of the appends that are stored, once they are durable
   */
  readonly appendAtOnce?:
    | ((
        appends: readonly PlainAppend[],
        note: (tx: Pick<Tx, "record" | "count">, stored: ReadonlySet<number>) => void,
      ) => Promise<ReadonlySet<number>>)
    | undefined;

  /**
   * Ends a run as its settlement would, faster. Absent where that is as fast.
   *
   * @param note records and counts what has happened
   * @returns whether it has: else the settlement has more to decide
   */
  readonly endAtOnce?:
    | ((
        end: PlainEnd,
        note: (tx: Pick<Tx, "record" | "count" | "now">, createdAt: number) => void,
      ) => Promise<boolean>)
    | undefined;

  /** Resolves when transactions that were in the way of one, and held locks that it didn't wait for, may have ended. */
  othersCommitted(): Promise<void>;

  /**
   * Like {@link read}, for queries that may take long: they don't hold up other transactions where the database can run
   * them beside each other.
   *
   * @throws EngineError `query_timeout` when it takes longer than {@link limitLists} allows
   */
  list<T>(work: (tx: Tx) => Promise<T>): Promise<T>;

  /** Sets the longest time of a {@link list}, in milliseconds. A database in memory has no limit. */
  limitLists(ms: number): void;

  /**
   * Makes the tables of the search, unless they are there.
   *
   * @returns false when this database can't search in texts
   */
  openSearch(): Promise<boolean>;

  /** Deletes everything that the search has indexed. */
  dropSearch(): Promise<void>;

  /**
   * Takes the time of transactions from `now`, in milliseconds since 1970, instead of from the machine's
   * clock.
   */
  useClock(now: () => number): void;

  /**
   * Calls `listener` with the due time of each message, schedule or wait that a transaction stores. There is
   * one listener.
   */
  onDue(listener: (dueAt: number) => void): void;

  /**
   * Calls `listener` with each event of a transaction, once the transaction is durable. There is one
   * listener.
   */
  onEvent(listener: Observer): void;

  /**
   * Calls `listener` with the new states of messages and runs, once the transaction is durable. There is one
   * listener.
   */
  onStates(listener: (counts: readonly StateCount[]) => void): void;

  /**
   * Calls `listener` with the ids of runs that other engines of this database have changed, soon after their
   * transactions. There is one listener.
   */
  onRunsChanged(listener: (runIds: readonly string[]) => void): void;

  /**
   * Copies a consistent snapshot of the whole database, while transactions go on.
   *
   * @throws EngineError `not_possible_here` when the engine can't copy this kind of database
   */
  backup(): Promise<Backup>;

  /** Commits the waiting transactions, and refuses new ones. */
  close(): Promise<void>;
}
