import type { SqlValue } from "../tx.ts";

/** The result of a statement. */
export interface StatementResult {
  readonly rows: readonly unknown[];
  /** The number of rows that the statement changed or returned. */
  readonly changes: number;
}

/**
 * One connection to a PostgreSQL database. `bigint` and `numeric` come as numbers, `bytea` as bytes. Statements run
 * one after the other; a caller need not wait for one before it sends the next.
 */
export interface PostgresSession {
  /**
   * Counts the losses of the connection. A session connects again by itself, and a transaction doesn't survive that: its
   * owner compares the count before each statement.
   */
  readonly losses: number;
  /** Connects, unless the session is connected. */
  connect(): Promise<void>;
  query(text: string, values: readonly SqlValue[]): Promise<StatementResult>;
  close(): Promise<void>;
}
