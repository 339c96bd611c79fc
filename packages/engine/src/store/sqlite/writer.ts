import { StoreUnavailable } from "../store.ts";
import type { Database } from "./database.ts";

interface Write {
  readonly work: () => unknown;
  readonly resolve: (value: never) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Group commit: writes that arrive while others are being committed share the next transaction, and so its one wait for
 * the disk. Each is atomic by itself: one that throws takes back only what it did.
 */
export class Writer {
  readonly #db: Database;
  #queue: Write[] = [];
  #scheduled = false;
  #closed = false;
  #commits = 0;

  constructor(db: Database) {
    this.#db = db;
  }

  /** Transactions committed so far. */
  get commits(): number {
    return this.#commits;
  }

  /** Runs `work` in a transaction. What it returns is given out once that is on disk. */
  write<T>(work: () => T): Promise<T> {
    if (this.#closed) return Promise.reject(new StoreUnavailable("The store is closed."));
    return new Promise<T>((resolve, reject) => {
      this.#queue.push({ work, resolve, reject });
      if (this.#scheduled) return;
      this.#scheduled = true;
      // After the input that has arrived by now has been read: it may bring more to commit.
      setImmediate(() => this.#flush());
    });
  }

  /** Commits what is waiting, and takes no more. */
  close(): void {
    this.#flush();
    this.#closed = true;
  }

  #flush(): void {
    this.#scheduled = false;
    if (this.#queue.length === 0) return;
    const done: (() => void)[] = [];
    const taken: Write[] = [];
    try {
      this.#db.run("BEGIN IMMEDIATE");
      // Until none is left: a write may cause another one, such as the claim of what it made due.
      while (this.#queue.length > 0) {
        const batch = this.#queue;
        this.#queue = [];
        taken.push(...batch);
        for (const write of batch) done.push(this.#perform(write));
      }
      this.#db.run("COMMIT");
      this.#commits++;
    } catch (error) {
      this.#abandon([...taken, ...this.#queue], error);
      return;
    }
    for (const settle of done) settle();
    this.#db.tally.commit();
  }

  #perform({ work, resolve, reject }: Write): () => void {
    this.#db.run("SAVEPOINT one");
    const { mark } = this.#db.tally;
    try {
      const value = work();
      this.#db.run("RELEASE one");
      return () => resolve(value as never);
    } catch (error) {
      // A full disk, say, has ended the whole transaction.
      if (!this.#db.inTransaction) throw error;
      this.#db.tally.rollback(mark);
      this.#db.run("ROLLBACK TO one");
      this.#db.run("RELEASE one");
      return () => reject(error);
    }
  }

  #abandon(writes: readonly Write[], error: unknown): void {
    this.#queue = [];
    this.#db.tally.rollback();
    if (this.#db.inTransaction) this.#db.run("ROLLBACK");
    for (const { reject } of writes) reject(error);
  }
}
