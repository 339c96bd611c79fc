import type { Connection } from "../group-commit.ts";
import { type Dialect, type LockKind, render, type Sql, type SqlValue, sql } from "../tx.ts";
import { failureOf } from "./faults.ts";

const DIALECT: Dialect = {
  placeholder: (index) => `$${index}`,
  greatest: "greatest",
  position: "strpos",
  list: (placeholder, of) =>
    of === "strings"
      ? `SELECT value FROM jsonb_array_elements_text(CAST(${placeholder} AS jsonb)) AS each (value)`
      : `SELECT CAST(value AS bigint) AS value FROM jsonb_array_elements_text(CAST(${placeholder} AS jsonb)) AS each (value)`,
};

/** A session of a PostgreSQL database, as its client library has it. `bigint` comes as a number, `bytea` as bytes. */
export interface PostgresSession {
  query(
    text: string,
    values: readonly SqlValue[],
  ): Promise<{ readonly rows: readonly unknown[]; readonly changes: number }>;
  close(): Promise<void>;
}

/** A connection to a PostgreSQL database. */
export class PostgresConnection implements Connection {
  readonly begin: Sql = sql`BEGIN`;
  readonly #session: PostgresSession;
  #inTransaction = false;

  constructor(session: PostgresSession) {
    this.#session = session;
  }

  get inTransaction(): boolean {
    return this.#inTransaction;
  }

  async one<Row>(query: Sql): Promise<Row | undefined> {
    return (await this.all<Row>(query))[0];
  }

  async all<Row>(query: Sql): Promise<Row[]> {
    const { text, values } = render(query, DIALECT);
    return (await this.#query(text, values)).rows as Row[];
  }

  async run(query: Sql): Promise<number> {
    const { text, values } = render(query, DIALECT);
    const { changes } = await this.#query(text, values);
    if (text === "BEGIN") this.#inTransaction = true;
    if (text === "COMMIT" || text === "ROLLBACK") this.#inTransaction = false;
    return changes;
  }

  /** @throws StoreUnavailable when the server is full, short of something, or gone */
  async #query(text: string, values: readonly SqlValue[]): ReturnType<PostgresSession["query"]> {
    try {
      return await this.#session.query(text, values);
    } catch (cause) {
      throw failureOf(cause);
    }
  }

  async commit(): Promise<void> {
    await this.run(sql`COMMIT`);
  }

  async lock(kind: LockKind, key: string): Promise<void> {
    await this.all(sql`SELECT pg_advisory_xact_lock(hashtext(${kind}), hashtext(${key}))`);
  }

  close(): Promise<void> {
    return this.#session.close();
  }
}
