import type { Driver } from "../driver.ts";
import { StateCounter } from "../state-counter.ts";
import { StoreUnavailable } from "../store.ts";
import { type Sql, sql, type Tx } from "../tx.ts";
import type { StateCount } from "../upkeep.ts";
import type { Database } from "./database.ts";

interface Work {
  readonly kind: "read" | "write";
  readonly perform: (tx: Tx) => Promise<unknown>;
  readonly resolve: (value: never) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Group commit: writes that arrive while others are being committed share the next transaction, and so its one wait for
 * the disk. Each has a savepoint of its own: one that throws takes back only what it did.
 */
export class SqliteDriver implements Driver {
  readonly #db: Database;
  readonly #tx: SqliteTx;
  readonly #states = new StateCounter();
  #onDue: (dueAt: number) => void = () => {};
  #queue: Work[] = [];
  /** The work on the queue, while there is any. */
  #flushing: Promise<void> | undefined;
  #closed = false;
  #commits = 0;

  constructor(db: Database) {
    this.#db = db;
    this.#tx = new SqliteTx(db, this.#states, (dueAt) => this.#onDue(dueAt));
  }

  /** Transactions committed so far. */
  get commits(): number {
    return this.#commits;
  }

  write<T>(work: (tx: Tx) => Promise<T>): Promise<T> {
    return this.#enqueue("write", work);
  }

  read<T>(work: (tx: Tx) => Promise<T>): Promise<T> {
    return this.#enqueue("read", work);
  }

  onDue(listener: (dueAt: number) => void): void {
    this.#onDue = listener;
  }

  onStates(listener: (counts: readonly StateCount[]) => void): void {
    this.#states.listen(listener);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#flushing;
    this.#db.close();
  }

  #enqueue<T>(kind: Work["kind"], perform: (tx: Tx) => Promise<T>): Promise<T> {
    if (this.#closed) return Promise.reject(new StoreUnavailable("The store is closed."));
    return new Promise<T>((resolve, reject) => {
      this.#queue.push({ kind, perform, resolve, reject });
      this.#flushing ??= this.#flush();
    });
  }

  async #flush(): Promise<void> {
    // After the input that has arrived by now has been read: it may bring more to commit.
    await new Promise<void>((resolve) => setImmediate(resolve));
    while (this.#queue.length > 0) {
      const reads = this.#take("read");
      // Reads come first: what a write has done isn't theirs to see before it is on disk.
      for (const read of reads) await this.#read(read);
      if (this.#queue.length > 0) await this.#commit();
    }
    this.#flushing = undefined;
  }

  #take(kind: Work["kind"]): Work[] {
    const taken = this.#queue.filter((work) => work.kind === kind);
    this.#queue = this.#queue.filter((work) => work.kind !== kind);
    return taken;
  }

  async #read({ perform, resolve, reject }: Work): Promise<void> {
    try {
      resolve((await perform(this.#tx)) as never);
    } catch (error) {
      reject(error);
    }
  }

  async #commit(): Promise<void> {
    const done: (() => void)[] = [];
    const taken: Work[] = [];
    try {
      this.#db.run(sql`BEGIN IMMEDIATE`);
      // Until none is left: a write may cause another one, such as the claim of what it made due.
      for (let batch = this.#take("write"); batch.length > 0; batch = this.#take("write")) {
        taken.push(...batch);
        for (const write of batch) done.push(await this.#write(write));
      }
      this.#db.run(sql`COMMIT`);
      this.#commits++;
    } catch (error) {
      this.#states.rollback();
      if (this.#db.inTransaction) this.#db.run(sql`ROLLBACK`);
      for (const { reject } of [...taken, ...this.#take("write")]) reject(error);
      return;
    }
    for (const settle of done) settle();
    this.#states.commit();
  }

  async #write({ perform, resolve, reject }: Work): Promise<() => void> {
    this.#db.run(sql`SAVEPOINT one`);
    const { mark } = this.#states;
    try {
      const value = await perform(this.#tx);
      this.#db.run(sql`RELEASE one`);
      return () => resolve(value as never);
    } catch (error) {
      // A full disk, say, has ended the whole transaction.
      if (!this.#db.inTransaction) throw error;
      this.#states.rollback(mark);
      this.#db.run(sql`ROLLBACK TO one`);
      this.#db.run(sql`RELEASE one`);
      return () => reject(error);
    }
  }
}

/** There is one writer, so nothing has to be locked, and a wake-up in vain is harmless: claims join the transaction. */
class SqliteTx implements Tx {
  readonly #db: Database;
  readonly #states: StateCounter;
  readonly wakeAt: (dueAt: number) => void;

  constructor(db: Database, states: StateCounter, wakeAt: (dueAt: number) => void) {
    this.#db = db;
    this.#states = states;
    this.wakeAt = wakeAt;
  }

  async one<Row>(query: Sql): Promise<Row | undefined> {
    return this.#db.one<Row>(query);
  }

  async all<Row>(query: Sql): Promise<Row[]> {
    return this.#db.all<Row>(query);
  }

  async run(query: Sql): Promise<number> {
    return this.#db.run(query);
  }

  async lock(): Promise<void> {}

  count(change: StateCount): void {
    this.#states.add(change);
  }
}
