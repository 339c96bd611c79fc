import { EngineError } from "../rules/engine-error.ts";
import type { Observer } from "../rules/event.ts";
import { AfterCommit } from "./after-commit.ts";
import type { Driver } from "./driver.ts";
import type { Backup, StateCount } from "./maintenance.ts";
import { type ForEach, type Sql, sql, type Tx } from "./tx.ts";
import { storeClosed } from "./unavailable.ts";

/** One connection to a database, on which transactions follow one another. */
export interface Connection extends Pick<Tx, "one" | "all" | "run" | "send" | "lock" | "tryLock"> {
  /**
   * All rows of a result that may have thousands.
   *
   * @param pause lets others have their turns, between two rows
   */
  many<Row>(query: Sql, pause: () => Promise<void> | undefined): Promise<Row[]>;
  /**
   * Whether a transaction is open. A database may end a transaction by itself, for example when its disk is
   * full.
   */
  readonly inTransaction: boolean;
  /** The statement with which a transaction begins. */
  readonly begin: Sql;
  commit(): Promise<void>;
  /** Does the rest of a commit's work, after its callers have been answered. */
  afterCommit?(): Promise<void>;
  /**
   * Called before each transaction.
   *
   * @throws StoreUnavailable when another database has replaced the opened one
   */
  check?(): void;
  /** The tables of the search. Absent when the database can't search in texts. */
  readonly search?: SearchTables | undefined;
  /** Copies a consistent snapshot of the database. Absent when the connection can't. */
  readonly backup?: (() => Promise<Backup>) | undefined;
  close(): Promise<void>;
}

/** The tables of the search, which the driver makes beside all transactions. */
export interface SearchTables {
  /** @returns false when this database can't search in texts */
  open(): boolean;
  drop(): void;
}

interface Work {
  readonly kind: "read" | "write";
  /** When the caller asked for it, in milliseconds since 1970. */
  readonly now: number;
  readonly perform: (tx: Tx) => Promise<unknown>;
  readonly resolve: (value: never) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Group commit: writes that arrive while others are being committed share the next transaction, and so its
 * one wait for the disk. Each write has its own savepoint: a write that throws undoes only its own changes.
 *
 * Reads use a second connection if the database has one, and then don't wait for writes. Otherwise they run
 * before the next transaction.
 */
export class GroupCommit implements Driver {
  readonly #connection: Connection;
  readonly #reads: ReadQueue | undefined;
  readonly #afterCommit = new AfterCommit();
  #now: () => number = Date.now;
  #onDue: (dueAt: number) => void = () => {};
  #queue: Work[] = [];
  /** Pending while the driver works on the queue. */
  #flushing: Promise<void> | undefined;
  #closed = false;
  #commits = 0;

  /** @param reader a connection to the same database, for reads */
  constructor(connection: Connection, reader?: Connection) {
    this.#connection = connection;
    this.#reads = reader && new ReadQueue(reader);
  }

  /** Transactions committed so far. */
  get commits(): number {
    return this.#commits;
  }

  write<T>(work: (tx: Tx) => Promise<T>): Promise<T> {
    return this.#enqueue("write", work);
  }

  read<T>(work: (tx: Tx) => Promise<T>): Promise<T> {
    if (this.#reads && !this.#closed) return this.#reads.read(work, this.#now());
    return this.#enqueue("read", work);
  }

  /** Resolves at once: there is one transaction at a time. */
  async othersCommitted(): Promise<void> {}

  list<T>(work: (tx: Tx) => Promise<T>): Promise<T> {
    return this.read(work);
  }

  /** Does nothing: nothing can interrupt a statement on the thread that runs it. */
  limitLists(): void {}

  async openSearch(): Promise<boolean> {
    if (this.#closed) throw storeClosed();
    return this.#connection.search?.open() ?? false;
  }

  async dropSearch(): Promise<void> {
    if (this.#closed) throw storeClosed();
    this.#connection.search?.drop();
  }

  async backup(): Promise<Backup> {
    if (this.#closed) throw storeClosed();
    const { backup } = this.#connection;
    if (backup) return backup();
    throw new EngineError(
      "not_possible_here",
      "the engine can copy a database in a file only: this one is in memory, or in PostgreSQL, which has pg_dump",
    );
  }

  onDue(listener: (dueAt: number) => void): void {
    this.#onDue = listener;
  }

  useClock(now: () => number): void {
    this.#now = now;
  }

  onEvent(listener: Observer): void {
    this.#afterCommit.onEvent(listener);
  }

  onStates(listener: (counts: readonly StateCount[]) => void): void {
    this.#afterCommit.onStates(listener);
  }

  /** Never calls its listener: no other engine uses the database. */
  onRunsChanged(): void {}

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#flushing;
    await this.#reads?.close();
    await this.#connection.close();
  }

  #enqueue<T>(kind: Work["kind"], perform: (tx: Tx) => Promise<T>): Promise<T> {
    if (this.#closed) return Promise.reject(storeClosed());
    return new Promise<T>((resolve, reject) => {
      this.#queue.push({ kind, now: this.#now(), perform, resolve, reject });
      this.#flushing ??= this.#flush();
    });
  }

  async #flush(): Promise<void> {
    while (this.#queue.length > 0) {
      // Waits until the process has read the input that has arrived: it may add writes to this commit.
      await new Promise<void>((resolve) => setImmediate(resolve));
      // Reads come first: they must not see a write before it is on disk.
      for (const read of this.#take("read")) await this.#read(read);
      if (this.#queue.length > 0) await this.#commit();
    }
    this.#flushing = undefined;
  }

  #take(kind: Work["kind"]): Work[] {
    const taken = this.#queue.filter((work) => work.kind === kind);
    this.#queue = this.#queue.filter((work) => work.kind !== kind);
    return taken;
  }

  #tx(now: number, turns: Turns): Tx {
    return toTx(this.#connection, turns, {
      now,
      // A needless wake-up is harmless, and a claim that it causes joins the transaction.
      wakeAt: (dueAt) => this.#onDue(dueAt),
      record: (event) => this.#afterCommit.record(event),
      count: (change) => this.#afterCommit.count(change),
    });
  }

  async #read({ now, perform, resolve, reject }: Work): Promise<void> {
    try {
      resolve((await perform(this.#tx(now, new Turns()))) as never);
    } catch (error) {
      reject(error);
    }
  }

  async #commit(): Promise<void> {
    const done: (() => void)[] = [];
    const taken: Work[] = [];
    try {
      this.#connection.check?.();
      await this.#connection.run(this.#connection.begin);
      // Runs until no write is left: a write may cause another one, such as a claim of messages that it made
      // due.
      const turns = new Turns();
      for (
        let batch = this.#take("write");
        batch.length > 0;
        batch = turns.passed ? [] : this.#take("write")
      ) {
        taken.push(...batch);
        for (const write of batch) {
          done.push(await this.#write(write, turns));
          await turns.pass();
        }
      }
      await this.#connection.commit();
      this.#commits++;
    } catch (error) {
      this.#afterCommit.rollback();
      await this.#rollback();
      // No transaction could begin, so every write fails.
      for (const { reject } of taken.length > 0 ? taken : this.#take("write")) reject(error);
      return;
    }
    for (const settle of done) settle();
    this.#afterCommit.commit();
    await this.#connection.afterCommit?.();
  }

  async #rollback(): Promise<void> {
    if (!this.#connection.inTransaction) return;
    try {
      await this.#connection.run(sql`ROLLBACK`);
    } catch {
      // The connection is broken, and its transaction has ended with it. The callers get the first error.
    }
  }

  async #write({ now, perform, resolve, reject }: Work, turns: Turns): Promise<() => void> {
    await this.#connection.run(sql`SAVEPOINT one`);
    const { mark } = this.#afterCommit;
    try {
      const value = await perform(this.#tx(now, turns));
      await this.#connection.run(sql`RELEASE SAVEPOINT one`);
      return () => resolve(value as never);
    } catch (error) {
      // The failure has ended the whole transaction.
      if (!this.#connection.inTransaction) throw error;
      this.#afterCommit.rollback(mark);
      await this.#connection.run(sql`ROLLBACK TO SAVEPOINT one`);
      await this.#connection.run(sql`RELEASE SAVEPOINT one`);
      return () => reject(error);
    }
  }
}

/**
 * Runs reads one after the other, each in a separate transaction that sees the data committed before it
 * begins.
 */
class ReadQueue {
  readonly #connection: Connection;
  #last: Promise<unknown> = Promise.resolve();

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  read<T>(work: (tx: Tx) => Promise<T>, now: number): Promise<T> {
    const read = this.#last.then(() => this.#perform(work, now));
    this.#last = read.catch(() => {});
    return read;
  }

  async close(): Promise<void> {
    await this.#last;
    await this.#connection.close();
  }

  async #perform<T>(work: (tx: Tx) => Promise<T>, now: number): Promise<T> {
    this.#connection.check?.();
    await this.#connection.run(this.#connection.begin);
    try {
      return await work(toTx(this.#connection, new Turns(), { now, ...CHANGES_NOTHING }));
    } finally {
      // A read changes nothing, so a rollback is enough.
      if (this.#connection.inTransaction) await this.#connection.run(sql`ROLLBACK`);
    }
  }
}

/** The part of a transaction that its connection doesn't know. */
type OfTransaction = Pick<Tx, "now" | "wakeAt" | "record" | "count">;

const CHANGES_NOTHING = { wakeAt: () => {}, record: () => {}, count: () => {} };

/** The statements of {@link ForEach}, with the values of each row. */
function queriesOf({ rows, statement }: ForEach): Sql[] {
  return rows.map((row) => statement(row as never, NOTHING, NOTHING));
}

const NOTHING = sql``;

/** A transaction that lets others have their turns between its statements, when it takes long. */
function toTx(connection: Connection, turns: Turns, own: OfTransaction): Tx {
  return {
    one: (query) => turns.after(connection.one(query)),
    all: (query) => turns.after(connection.all(query)),
    many: (query) => turns.after(connection.many(query, () => turns.pass())),
    run: (query) => turns.after(connection.run(query)),
    send: (query) => connection.send(query),
    // A prepared statement for each row is faster than one that reads the rows from JSON: measured, by a third.
    async allForEach<Row>(each: ForEach): Promise<Row[]> {
      const found: Row[] = [];
      for (const query of queriesOf(each)) found.push(...(await turns.after(connection.all<Row>(query))));
      return found;
    },
    sendForEach(each) {
      for (const query of queriesOf(each)) connection.send(query);
    },
    lock: (kind, ...keys) => connection.lock(kind, ...keys),
    tryLock: (kind, ...keys) => connection.tryLock(kind, ...keys),
    ...own,
  };
}

/** Milliseconds of a transaction after which it yields to answers and to requests that need no store. */
const MAX_BATCH_MS = 10;

/**
 * Cuts a transaction's work into turns: answers and requests that need no transaction go on between two of its statements.
 * After the first cut, the transaction takes no more writes, so that it ends.
 */
class Turns {
  #began = performance.now();
  #passed = false;

  get passed(): boolean {
    return this.#passed;
  }

  /** Returns the result of a statement, and yields once the turn is over. */
  after<T>(result: Promise<T>): Promise<T> {
    if (!this.#isOver()) return result;
    return result.then(async (value) => {
      await this.pass();
      return value;
    });
  }

  /** Yields once the turn is over. */
  pass(): Promise<void> | undefined {
    return this.#isOver() ? this.#pass() : undefined;
  }

  async #pass(): Promise<void> {
    this.#passed = true;
    await new Promise<void>((resolve) => setImmediate(resolve));
    this.#began = performance.now();
  }

  #isOver(): boolean {
    return performance.now() - this.#began >= MAX_BATCH_MS;
  }
}
