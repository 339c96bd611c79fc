import { Renderer } from "../renderer.ts";
import type { LockKind, Sql, Tx } from "../tx.ts";
import { type Changed, Changes, type Mark } from "./changes.ts";
import { POSTGRES } from "./dialect.ts";
import { toOneStatement } from "./for-each.ts";
import { takeLocks, tryLocks } from "./locks.ts";
import { ConnectionLost, LockBusy } from "./retries.ts";
import type { PostgresSession, StatementResult } from "./session.ts";

const RENDERER = new Renderer(POSTGRES);

/**
 * One transaction on a session. Statements whose results no caller needs are sent without a wait, and several may be under way
 * at once. The server runs them in order, and after the first error refuses all others: each reports that error.
 */
export class Transaction {
  readonly #changes = new Changes();
  readonly #session: PostgresSession;
  readonly #losses: number;
  /** The first error of a statement. */
  #failure: unknown;
  /** True while other operations of this transaction hold locks: then an operation must not wait for one. */
  #mustNotWait = false;
  /** The locks that this transaction has. */
  readonly #locks = new Set<string>();

  constructor(session: PostgresSession) {
    this.#session = session;
    this.#losses = session.losses;
  }

  /** The transaction as the engine's rules see it. */
  tx(now: number): Tx {
    return {
      now,
      one: async (query) => (await this.#run(query)).rows[0] as never,
      all: async (query) => (await this.#run(query)).rows as never,
      // The connection reads rows as they arrive, and others have their turns between two arrivals.
      many: async (query) => (await this.#run(query)).rows as never,
      run: async (query) => (await this.#run(query)).changes,
      send: (query) => this.#send(query),
      allForEach: async (each) =>
        each.rows.length === 0 ? [] : ((await this.#run(toOneStatement(each))).rows as never),
      sendForEach: (each) => {
        if (each.rows.length > 0) this.#send(toOneStatement(each));
      },
      lock: (kind, ...keys) => this.#lock(kind, keys),
      tryLock: (kind, ...keys) => this.#tryLock(kind, keys),
      wakeAt: (dueAt) => this.#changes.wakeAt(dueAt),
      record: (event) => this.#changes.record(event),
      count: (change) => this.#changes.count(change),
    };
  }

  /** Sends a statement without a wait for its result. */
  send(text: string, values: Parameters<PostgresSession["query"]>[1] = []): void {
    this.#query(text, values).catch(() => {});
  }

  /** Begins an operation that may fail alone. */
  savepoint(): Mark {
    this.send("SAVEPOINT one");
    return this.#changes.mark;
  }

  /** Ends an operation. Those that follow in this transaction don't wait for locks. */
  async release(): Promise<void> {
    await this.execute("RELEASE SAVEPOINT one");
    this.#mustNotWait = true;
  }

  /** Undoes an operation that has failed. @returns false when the connection is gone, and the server undoes all */
  rollbackTo(mark: Mark): Promise<boolean> {
    this.#changes.rollback(mark);
    // The server releases those that were taken since.
    this.#locks.clear();
    return this.#undo("ROLLBACK TO SAVEPOINT one", "RELEASE SAVEPOINT one");
  }

  /** Undoes the whole transaction, or ends one that has only read. */
  async rollback(): Promise<void> {
    await this.#undo("ROLLBACK");
  }

  /** Returns the effects of the transaction. Call it after the commit. */
  committed(): Changed {
    return this.#changes.take();
  }

  async #undo(statement: string, ...others: readonly string[]): Promise<boolean> {
    try {
      await this.#query(statement, []);
      // The server has answered all that were sent before.
      this.#failure = undefined;
      for (const other of others) await this.execute(other);
      return true;
    } catch {
      return false;
    }
  }

  /** Runs a statement, after all that were sent before it. */
  async execute(
    text: string,
    values: Parameters<PostgresSession["query"]>[1] = [],
  ): Promise<StatementResult> {
    const result = await this.#query(text, values);
    // A COMMIT ends a transaction that has failed without an error.
    if (this.#failure !== undefined) throw this.#failure;
    return result;
  }

  #send(query: Sql): void {
    // An operation that is being undone may still go on elsewhere.
    if (this.#failure !== undefined) return;
    const { text, values } = RENDERER.render(query);
    this.send(text, values);
  }

  async #run(query: Sql): Promise<StatementResult> {
    if (this.#failure !== undefined) throw this.#failure;
    const { text, values } = RENDERER.render(query);
    return this.execute(text, values);
  }

  async #query(text: string, values: Parameters<PostgresSession["query"]>[1]): Promise<StatementResult> {
    try {
      // The session would run the statement on a new connection, outside of the transaction.
      if (this.#session.losses !== this.#losses) throw new ConnectionLost();
      return await this.#session.query(text, values);
    } catch (error) {
      // The callers of several statements may hear of their errors in another order.
      this.#failure ??= error;
      throw this.#failure;
    }
  }

  async #lock(kind: LockKind, keys: readonly string[]): Promise<void> {
    const asked = keys.filter((key) => !this.#locks.has(`${kind} ${key}`));
    const [first] = asked;
    if (first === undefined) return;
    if (this.#mustNotWait) return this.#lockAtOnce(kind, asked);
    for (const key of asked) this.#locks.add(`${kind} ${key}`);
    // The next statement sees what the lock's last owner has committed, so nothing waits for this one.
    this.#send(takeLocks(kind, asked));
  }

  /** @throws LockBusy when another transaction has one of the locks: the caller must undo the operation */
  async #lockAtOnce(kind: LockKind, keys: readonly string[]): Promise<void> {
    const taken = await this.#tryLock(kind, keys);
    if (taken.includes(false)) throw new LockBusy(kind, keys);
  }

  async #tryLock(kind: LockKind, keys: readonly string[]): Promise<boolean[]> {
    const asked = keys.filter((key) => !this.#locks.has(`${kind} ${key}`));
    if (asked.length > 0) {
      const { rows } = await this.#run(tryLocks(kind, asked));
      for (const [at, { taken }] of (rows as { readonly taken: boolean }[]).entries())
        if (taken) this.#locks.add(`${kind} ${asked[at]}`);
    }
    return keys.map((key) => this.#locks.has(`${kind} ${key}`));
  }
}
