import type { Observer } from "../rules/event.ts";
import type { Backup, StateCount } from "./maintenance.ts";
import type { Tx } from "./tx.ts";

/** Runs transactions on a database. Each database that the engine knows has one. */
export interface Driver {
  /**
   * Runs `work` in a transaction. Transactions that arrive together may share one commit; each is atomic by itself.
   *
   * @returns a promise of what `work` returns, once that is durable
   */
  write<T>(work: (tx: Tx) => Promise<T>): Promise<T>;

  /** Runs `work`, which changes nothing, on one consistent view of what has been committed. */
  read<T>(work: (tx: Tx) => Promise<T>): Promise<T>;

  /** Takes the time of transactions from `now`, in milliseconds since 1970, instead of from the machine's clock. */
  useClock(now: () => number): void;

  /** Calls `listener` whenever something is stored that comes due, with the time of it. There is one listener. */
  onDue(listener: (dueAt: number) => void): void;

  /** Calls `listener` with each event that a transaction recorded, once that is durable. There is one listener. */
  onEvent(listener: Observer): void;

  /** Calls `listener` with the states into which messages and runs have come, once that is durable. There is one listener. */
  onStates(listener: (counts: readonly StateCount[]) => void): void;

  /**
   * Copies the whole database as it is at one moment, while transactions go on.
   *
   * @throws EngineError `not_possible_here` where the database can't be copied by the engine
   */
  backup(): Promise<Backup>;

  /** Commits the transactions that wait, and refuses new ones. */
  close(): Promise<void>;
}
