import { Renderer } from "../renderer.ts";
import type { LockKind, Sql, Tx } from "../tx.ts";
import { type Changed, Changes, type Mark } from "./changes.ts";
import { POSTGRES } from "./dialect.ts";
import { ConnectionLost, LockBusy } from "./retries.ts";
import type { PostgresSession, StatementResult } from "./session.ts";
import { encodeText } from "./text.ts";

/** The two numbers of an advisory lock. Engines with tables in other schemas of the database have locks of their own. */
const LOCK_KEYS = "hashtext(current_schema || $1), hashtext($2)";

const RENDERER = new Renderer(POSTGRES);

/**
 * One transaction on a session. Statements whose results no caller needs are sent without a wait: the server runs them in
 * order, and the first error of them fails the next statement that is waited for.
 */
export class Transaction {
  readonly #changes = new Changes();
  readonly #session: PostgresSession;
  readonly #losses: number;
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
      send: (query) => {
        const { text, values } = RENDERER.render(query);
        this.send(text, values);
      },
      lock: (kind, key) => this.#lock(kind, key),
      tryLock: (kind, key) => this.#tryLock(kind, key),
      wakeAt: (dueAt) => this.#changes.wakeAt(dueAt),
      record: (event) => this.#changes.record(event),
      count: (change) => this.#changes.count(change),
    };
  }

  /** Sends a statement without a wait for its result. */
  send(text: string, values: Parameters<PostgresSession["query"]>[1] = []): void {
    this.#query(text, values).catch((error: unknown) => {
      this.#failure ??= error;
    });
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

  async #undo(...statements: readonly string[]): Promise<boolean> {
    try {
      this.#failure = undefined;
      for (const statement of statements) await this.execute(statement);
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
    try {
      const result = await this.#query(text, values);
      if (this.#failure !== undefined) throw this.#failure;
      return result;
    } catch (error) {
      // A statement that was sent before has failed: its error is the reason, and this one's the consequence.
      throw this.#failure ?? error;
    }
  }

  #run(query: Sql): Promise<StatementResult> {
    const { text, values } = RENDERER.render(query);
    return this.execute(text, values);
  }

  #query(text: string, values: Parameters<PostgresSession["query"]>[1]): Promise<StatementResult> {
    // The session would run the statement on a new connection, outside of the transaction.
    if (this.#session.losses !== this.#losses) return Promise.reject(new ConnectionLost());
    return this.#session.query(text, values);
  }

  async #lock(kind: LockKind, key: string): Promise<void> {
    const lock = `${kind} ${key}`;
    if (this.#locks.has(lock)) return;
    if (this.#mustNotWait) {
      if (!(await this.#tryLock(kind, key))) throw new LockBusy(kind, key);
      return;
    }
    this.#locks.add(lock);
    // The next statement sees what the lock's last owner has committed, so nothing waits for this one.
    this.#query(`SELECT pg_advisory_xact_lock(${LOCK_KEYS})`, [kind, encodeText(key)]).catch(
      (error: unknown) => {
        this.#failure ??= error;
      },
    );
  }

  async #tryLock(kind: LockKind, key: string): Promise<boolean> {
    const lock = `${kind} ${key}`;
    if (this.#locks.has(lock)) return true;
    const { rows } = await this.execute(`SELECT pg_try_advisory_xact_lock(${LOCK_KEYS}) AS taken`, [
      kind,
      encodeText(key),
    ]);
    const { taken } = rows[0] as { readonly taken: boolean };
    if (taken) this.#locks.add(lock);
    return taken;
  }
}
