import { afterEach, beforeEach } from "vitest";
import { createStore, type Store } from "../../src/commands/store.ts";
import { type Connection, GroupCommit } from "../../src/store/group-commit.ts";
import { Database } from "../../src/store/sqlite/database.ts";
import type { LockKind, Sql } from "../../src/store/tx.ts";
import { START } from "../harness.ts";

/** The statements of group commit, which operations that arrive together share. */
const OF_THE_DRIVER = /^(?:BEGIN|COMMIT|ROLLBACK|SAVEPOINT|RELEASE)\b/;

/** A connection that counts the statements of operations. */
class Counting implements Connection {
  readonly #db = new Database(":memory:");
  readonly begin: Sql = this.#db.begin;
  count = 0;
  /** The most rows that one statement has returned in one go. */
  mostRows = 0;

  get inTransaction(): boolean {
    return this.#db.inTransaction;
  }

  one<Row>(query: Sql): Promise<Row | undefined> {
    this.#note(query);
    return this.#db.one(query);
  }

  async all<Row>(query: Sql): Promise<Row[]> {
    this.#note(query);
    const rows = await this.#db.all<Row>(query);
    this.mostRows = Math.max(this.mostRows, rows.length);
    return rows;
  }

  many<Row>(query: Sql, pause: () => Promise<void> | undefined): Promise<Row[]> {
    this.#note(query);
    return this.#db.many(query, pause);
  }

  run(query: Sql): Promise<number> {
    this.#note(query);
    return this.#db.run(query);
  }

  send(query: Sql): void {
    this.#note(query);
    this.#db.send(query);
  }

  commit(): Promise<void> {
    return this.#db.commit();
  }

  tryLock(kind: LockKind, ...keys: readonly string[]): Promise<boolean[]> {
    return this.#db.tryLock(kind, ...keys);
  }

  lock(): Promise<void> {
    return this.#db.lock();
  }

  close(): Promise<void> {
    return this.#db.close();
  }

  #note({ strings: [text = ""] }: Sql): void {
    if (!OF_THE_DRIVER.test(text)) this.count++;
  }
}

/** A store that is new for each test, and counts its statements. */
export interface CountingStore {
  readonly store: Store;
  /** The statements that an operation takes. */
  statementsOf(work: () => Promise<unknown>): Promise<number>;
  /** The most rows that an operation reads in one go. */
  mostRowsOf(work: () => Promise<unknown>): Promise<number>;
  /** Writes rows beside the store's operations. */
  fill(statement: Sql): Promise<void>;
}

export function useCountingStore(): CountingStore {
  let connection: Counting;
  let store: Store;
  beforeEach(() => {
    connection = new Counting();
    store = createStore(new GroupCommit(connection));
    store.useClock(() => START);
  });
  afterEach(() => store.close());
  return {
    get store() {
      return store;
    },
    async statementsOf(work) {
      const before = connection.count;
      await work();
      return connection.count - before;
    },
    async mostRowsOf(work) {
      connection.mostRows = 0;
      await work();
      return connection.mostRows;
    },
    async fill(statement) {
      await connection.run(statement);
    },
  };
}
