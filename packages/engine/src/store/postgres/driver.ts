import { EngineError } from "../../rules/engine-error.ts";
import type { EngineEvent, Observer } from "../../rules/event.ts";
import type { Driver } from "../driver.ts";
import type { Backup, StateCount } from "../maintenance.ts";
import { queryTimeout } from "../query-timeout.ts";
import { sql, type Tx } from "../tx.ts";
import { CommitUnknown, StoreUnavailable, storeClosed } from "../unavailable.ts";
import { appendTogether } from "./append-at-once.ts";
import { endTogether } from "./end-at-once.ts";
import {
  type Append,
  type End,
  MAX_GROUP,
  type Operation,
  type Pending,
  takeGroup,
  type Work,
} from "./operations.ts";
import { ConnectionLost, isTimeout, retryReason } from "./retries.ts";
import type { PostgresSession } from "./session.ts";
import { type OnFewer, SessionPool } from "./session-pool.ts";
import { Transaction } from "./transaction.ts";

/** The changes of one transaction that concern other engines. */
export interface Commit {
  /** When the first message comes due that it has stored; `undefined` for none. */
  readonly dueAt: number | undefined;
  readonly events: readonly EngineEvent[];
}

/** The sessions of a driver. A session may be in both lists. */
export interface Sessions {
  readonly writers: readonly PostgresSession[];
  readonly readers: readonly PostgresSession[];
  /** The readers that run lists: lists never occupy the others. By default the first half of them. */
  readonly listers?: readonly PostgresSession[];
  /** Statements after BEGIN, for a pooler that keeps no settings of a session. */
  readonly settings?: string;
  /** Milliseconds for which an operation waits for a database that is away. 10 seconds by default. */
  readonly patience?: number;
  /** A driver that does the operations while it is connected and this one can't connect. */
  readonly instead?: PostgresDriver;
  readonly onFewer?: OnFewer;
}

/** Milliseconds after which a transaction takes no further operation: its locks hold up others. */
const MAX_GROUP_MS = 10;

/** Milliseconds after which locks of other engines may be free. */
const BUSY_MS = 5;

/** The default of {@link Sessions.patience}. */
const PATIENCE_MS = 10_000;

/** How often an operation is done again after refusals of the database. */
const MAX_REFUSALS = 8;

/** Milliseconds between attempts to connect: the first pause, and the longest. */
const RECONNECT_MS = { first: 50, longest: 2000 };

const BEGIN_READ = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
// Under a lock, a transaction must read what the last owner has left, whatever the database's default is.
const BEGIN_WRITE = "BEGIN ISOLATION LEVEL READ COMMITTED";

/**
 * Runs transactions on PostgreSQL, several at once: each session takes the operations that wait when it is free. So an
 * operation that arrives alone has a transaction of its own at once, and under load operations share transactions, and
 * their waits for the disk, without a timer.
 *
 * PostgreSQL's isolation is READ COMMITTED: locks of the engine's (`Tx.lock`) order what must be in order. Within a shared
 * transaction an operation never waits for a lock, because the transaction holds the locks of the operations before it:
 * two transactions could wait for each other. It is undone instead, and done again in a transaction that it begins.
 */
export class PostgresDriver implements Driver {
  readonly #sessions: Sessions;
  readonly #pool: SessionPool;
  readonly #writes: Operation[] = [];
  readonly #reads: Work[] = [];
  readonly #lists: Work[] = [];
  readonly #listers: ReadonlySet<PostgresSession>;
  /** Milliseconds that each statement of a list may take. */
  #listLimit: number | undefined;
  /** Operations that pause before they are done again. */
  #pausing = 0;
  #now: () => number = Date.now;
  #onDue: (dueAt: number) => void = () => {};
  #onEvent: Observer = () => {};
  #onStates: (counts: readonly StateCount[]) => void = () => {};
  #onCommit: (commit: Commit) => void = () => {};
  /** Called after the next commit, or at news of other engines' commits. */
  readonly #waitingForOthers = new Set<() => void>();
  #scheduled = false;
  #closed = false;
  #idle: (() => void) | undefined;
  #commits = 0;

  constructor(sessions: Sessions) {
    this.#sessions = sessions;
    const { writers, readers } = sessions;
    this.#pool = new SessionPool([...new Set([...writers, ...readers])], sessions.onFewer);
    this.#listers = new Set(sessions.listers ?? readers.slice(0, Math.ceil(readers.length / 2)));
  }

  /** Transactions committed so far. */
  get commits(): number {
    return this.#commits;
  }

  write<T>(work: (tx: Tx) => Promise<T>): Promise<T> {
    return this.#enqueue(this.#writes, work);
  }

  read<T>(work: (tx: Tx) => Promise<T>): Promise<T> {
    return this.#enqueue(this.#reads, work);
  }

  /** Absent behind a pooler, which keeps no settings of a session: each statement needs a transaction that sets them. */
  get appendAtOnce(): Driver["appendAtOnce"] {
    if (this.#sessions.settings !== undefined) return undefined;
    return (appends, note) =>
      this.#wait((pending) => this.#writes.push({ kind: "append", request: { appends, note }, ...pending }));
  }

  get endAtOnce(): Driver["endAtOnce"] {
    return (end, note) =>
      this.#wait((pending) => this.#writes.push({ kind: "end", request: { end, note }, ...pending }));
  }

  /** Resolves after this engine's next commit, at news of another engine's, or after some milliseconds. */
  othersCommitted(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(done, BUSY_MS);
      const waiting = this.#waitingForOthers;
      function done(): void {
        clearTimeout(timer);
        waiting.delete(done);
        resolve();
      }
      waiting.add(done);
    });
  }

  list<T>(work: (tx: Tx) => Promise<T>): Promise<T> {
    return this.#enqueue(this.#lists, work);
  }

  limitLists(ms: number): void {
    this.#listLimit = Math.max(1, Math.round(ms));
  }

  /** The migrations have made the tables. */
  async openSearch(): Promise<boolean> {
    return true;
  }

  async dropSearch(): Promise<void> {
    await this.write(async (tx) => {
      await tx.run(sql`DELETE FROM search_texts`);
      await tx.run(sql`DELETE FROM search_runs`);
    });
  }

  async backup(): Promise<Backup> {
    throw new EngineError(
      "not_possible_here",
      "the engine can copy a database in a file only: this one is in PostgreSQL, which has pg_dump",
    );
  }

  useClock(now: () => number): void {
    this.#now = now;
  }

  onDue(listener: (dueAt: number) => void): void {
    this.#onDue = listener;
  }

  onEvent(listener: Observer): void {
    this.#onEvent = listener;
  }

  onStates(listener: (counts: readonly StateCount[]) => void): void {
    this.#onStates = listener;
  }

  /** Calls `listener` after each commit. There is one listener. */
  onCommit(listener: (commit: Commit) => void): void {
    this.#onCommit = listener;
  }

  /** Tells the dispatcher of work that another engine has stored. */
  wake(dueAt: number): void {
    this.#resume();
    this.#onDue(dueAt);
  }

  #resume(): void {
    for (const resume of this.#waitingForOthers) resume();
  }

  /** Calls `listener` with the runs that other engines have changed: the store does, which hears of them. */
  onRunsChanged(): void {}

  /** Sends a notification, in a transaction of its own, which needn't be on disk: a crash ends all who listen. */
  async notify(channel: string, payload: string): Promise<void> {
    await this.write(async (tx) => {
      tx.send(sql`SET LOCAL synchronous_commit = off`);
      tx.send(sql`SELECT pg_notify(${channel}, ${payload})`);
    });
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    if (!this.#isIdle) {
      await new Promise<void>((resolve) => (this.#idle = resolve));
    }
    await this.#pool.close();
  }

  #enqueue<T>(queue: Operation[] | Work[], perform: (tx: Tx) => Promise<T>): Promise<T> {
    return this.#wait((pending) => queue.push({ kind: "work", perform, ...pending }));
  }

  #wait<T>(enqueue: (pending: Pending) => void): Promise<T> {
    if (this.#closed) return Promise.reject(storeClosed());
    return new Promise<T>((resolve, reject) => {
      const deadline = performance.now() + (this.#sessions.patience ?? PATIENCE_MS);
      enqueue({ resolve, reject, now: this.#now(), deadline, refusals: 0, losses: 0 });
      this.#schedule();
    });
  }

  /** Waits until the process has read the input that has arrived: it may add operations. */
  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#dispatch();
    });
  }

  #dispatch(): void {
    // A session that takes both begins with the one that has waited for longer.
    if (waitsLonger(this.#writes, this.#reads) && waitsLonger(this.#writes, this.#lists))
      this.#dispatchWrites();
    this.#dispatchReads();
    this.#dispatchWrites();
    if (this.#isIdle) this.#idle?.();
  }

  #dispatchReads(): void {
    for (const session of this.#pool.free(this.#pool.usable(this.#sessions.readers))) {
      const read = this.#reads.shift();
      if (!read) break;
      this.#occupy(session, this.#reads, [read], () => this.#read(session, read));
    }
    for (const session of this.#pool.free(this.#pool.usable([...this.#listers], 1))) {
      const list = this.#lists.shift();
      if (!list) break;
      this.#occupy(session, this.#lists, [list], () => this.#list(session, list));
    }
  }

  #dispatchWrites(): void {
    const usable = this.#pool.usable(this.#sessions.writers);
    // Short transactions side by side, before long ones.
    const share = Math.min(MAX_GROUP, Math.ceil(this.#writes.length / usable.length));
    for (const session of this.#pool.free(usable)) {
      const { kind, group } = takeGroup(this.#writes, share);
      if (group.length === 0) break;
      this.#occupy(session, this.#writes, group, () => {
        if (kind === "append") return this.#writeAppends(session, group);
        return kind === "end" ? this.#endRuns(session, group) : this.#writeGroup(session, group);
      });
    }
  }

  get #isIdle(): boolean {
    const waiting = this.#writes.length + this.#reads.length + this.#lists.length + this.#pausing;
    return this.#pool.isIdle && waiting === 0;
  }

  /** @param queue from which the operations come */
  #occupy(
    session: PostgresSession,
    queue: Operation[],
    operations: readonly Operation[],
    work: () => Promise<void>,
  ): void {
    this.#pool.occupy(session);
    void this.#connect(session, queue, operations)
      .then((connected) => (connected ? work() : undefined))
      .finally(() => {
        this.#pool.release(session);
        this.#dispatch();
      });
  }

  /**
   * Connects, with pauses that grow, for as long as one of the operations waits. While other sessions are connected, the operations
   * go back instead, for one of these.
   *
   * @returns whether it is connected
   */
  async #connect(
    session: PostgresSession,
    queue: Operation[],
    operations: readonly Operation[],
  ): Promise<boolean> {
    let pause = RECONNECT_MS.first;
    for (;;) {
      try {
        await this.#pool.connect(session);
        return true;
      } catch (error) {
        const isRefused = error instanceof StoreUnavailable;
        if (isRefused && this.#pool.connected.length > 0) {
          this.#pool.rest(session, error);
          for (const operation of operations) putBack(queue, operation);
          return false;
        }
        if (isRefused && this.#passOn(queue, operations)) return false;
        this.#expire(error);
        const over = this.#closed || operations.every(({ deadline }) => performance.now() + pause > deadline);
        if (over || !isRefused) {
          for (const { reject } of operations) reject(error);
          return false;
        }
      }
      await new Promise((resolve) => setTimeout(resolve, pause * (0.5 + Math.random())));
      pause = Math.min(2 * pause, RECONNECT_MS.longest);
    }
  }

  /** @returns whether another driver does the operations */
  #passOn(queue: Operation[], operations: readonly Operation[]): boolean {
    const { instead } = this.#sessions;
    if (!instead || instead.#closed || instead.#pool.connected.length === 0) return false;
    const queues = new Map<Operation[], Operation[]>([
      [this.#writes, instead.#writes],
      [this.#reads, instead.#reads],
      [this.#lists, instead.#lists],
    ]);
    for (const operation of operations) putBack(queues.get(queue) ?? [], operation);
    instead.#schedule();
    return true;
  }

  #begin(session: PostgresSession, begin: string): Transaction {
    const transaction = new Transaction(session);
    const { settings } = this.#sessions;
    transaction.send(settings === undefined ? begin : `${begin}; ${settings}`);
    return transaction;
  }

  async #read(session: PostgresSession, read: Work): Promise<void> {
    const transaction = this.#begin(session, BEGIN_READ);
    try {
      read.resolve((await read.perform(transaction.tx(read.now))) as never);
    } catch (error) {
      this.#refuse(this.#reads, read, error);
    }
    await transaction.rollback();
  }

  async #list(session: PostgresSession, list: Work): Promise<void> {
    const transaction = this.#begin(session, BEGIN_READ);
    const ms = this.#listLimit;
    if (ms !== undefined) transaction.send(`SET LOCAL statement_timeout = ${ms}`);
    try {
      list.resolve((await list.perform(transaction.tx(list.now))) as never);
    } catch (error) {
      if (ms !== undefined && isTimeout(error)) list.reject(queryTimeout(ms, error));
      else this.#refuse(this.#lists, list, error);
    }
    await transaction.rollback();
  }

  /**
   * Runs operations in one transaction:
   *
   * 1. One alone needs no savepoint.
   * 2. An operation that fails is undone, and the others go on.
   * 3. After some milliseconds the transaction ends, and the operations that it hasn't begun wait for another one.
   * 4. When the connection is lost before the commit, all operations wait for another transaction. When it is lost during
   *    the commit, it is unknown whether they have happened: their callers get the error.
   */
  async #writeGroup(session: PostgresSession, group: readonly Work[]): Promise<void> {
    const transaction = this.#begin(session, BEGIN_WRITE);
    const until = performance.now() + MAX_GROUP_MS;
    const done: Done[] = [];
    for (const [at, operation] of group.entries()) {
      if (at > 0 && performance.now() > until) {
        this.#writes.unshift(...group.slice(at));
        break;
      }
      if (await this.#writeOne(transaction, operation, { alone: group.length === 1, done })) continue;
      // The connection, and the whole transaction with it, is gone.
      this.#writes.unshift(...group.slice(at + 1));
      for (const { operation: undone } of done) this.#refuse(this.#writes, undone, new ConnectionLost());
      return;
    }
    if (done.length > 0) await this.#commit(transaction, done);
    else await transaction.rollback();
  }

  /** @returns whether the transaction goes on */
  async #writeOne(
    transaction: Transaction,
    operation: Work,
    { alone, done }: { readonly alone: boolean; readonly done: Done[] },
  ): Promise<boolean> {
    const savepoint = alone ? undefined : transaction.savepoint();
    try {
      const value = await operation.perform(transaction.tx(operation.now));
      if (savepoint) await transaction.release();
      done.push({ operation, value });
      return true;
    } catch (error) {
      this.#refuse(this.#writes, operation, error);
      return savepoint ? transaction.rollbackTo(savepoint) : true;
    }
  }

  /** Stores appends that arrived together by one statement. The server commits it before it answers. */
  async #writeAppends(session: PostgresSession, group: readonly Append[]): Promise<void> {
    const transaction = new Transaction(session);
    try {
      const stored = await appendTogether(
        transaction.tx(this.#now()),
        group.map(({ request }) => request),
      );
      this.#committed(
        transaction,
        group.map((operation, at) => ({ operation, value: stored[at] })),
      );
    } catch (error) {
      this.#refuseEach(group, error);
    }
  }

  /** Ends runs by one statement, in a transaction whose statements are all on their way before the first answer. */
  async #endRuns(session: PostgresSession, group: readonly End[]): Promise<void> {
    const transaction = this.#begin(session, BEGIN_WRITE);
    const ending = endTogether(
      transaction.tx(this.#now()),
      group.map(({ request }) => request),
    );
    // After a statement that has failed, the server undoes the transaction instead.
    const [ended, commit] = await Promise.allSettled([ending, transaction.execute("COMMIT")]);
    if (ended.status === "rejected") this.#refuseEach(group, ended.reason);
    else if (commit.status === "rejected") this.#refuseCommit(group, commit.reason);
    else
      this.#committed(
        transaction,
        group.map((operation, at) => ({ operation, value: ended.value[at] })),
      );
  }

  async #commit(transaction: Transaction, done: readonly Done[]): Promise<void> {
    try {
      await transaction.execute("COMMIT");
    } catch (cause) {
      const operations = done.map(({ operation }) => operation);
      return this.#refuseCommit(operations, cause);
    }
    this.#committed(transaction, done);
  }

  /** @param cause the server's answer that it has undone the transaction, or the loss of its answer */
  #refuseCommit(operations: readonly Operation[], cause: unknown): void {
    const error = retryReason(cause) === "connection" ? new CommitUnknown(cause) : cause;
    for (const operation of operations) this.#refuse(this.#writes, operation, error);
  }

  /** Refuses operations that one statement has carried out together. The fault may be that of one of them: each is tried alone. */
  #refuseEach(group: readonly Operation[], error: unknown): void {
    const mayBeOthers =
      group.length > 1 && retryReason(error) === undefined && !(error instanceof StoreUnavailable);
    for (const operation of group) {
      if (!mayBeOthers) this.#refuse(this.#writes, operation, error);
      else {
        operation.refusals++;
        this.#writes.unshift(operation);
      }
    }
  }

  #committed(transaction: Transaction, done: readonly Done[]): void {
    this.#commits++;
    this.#resume();
    for (const { operation, value } of done) operation.resolve(value as never);
    const { times, states, events } = transaction.committed();
    if (states.length > 0) this.#onStates(states);
    for (const event of events) this.#onEvent(event);
    for (const dueAt of times) this.#onDue(dueAt);
    const dueAt = times.length > 0 ? Math.min(...times) : undefined;
    if (dueAt !== undefined || events.length > 0) this.#onCommit({ dueAt, events });
  }

  /** Does the operation again, where that may help, and otherwise passes the error to its caller. */
  #refuse(queue: Operation[], operation: Operation, error: unknown): void {
    const reason = retryReason(error);
    // The time of a process that was stopped itself is over at once: each operation is done again once.
    const isLate = operation.losses > 0 && performance.now() > operation.deadline;
    const over = reason === "connection" ? isLate : ++operation.refusals > MAX_REFUSALS;
    if (reason === undefined || over) {
      operation.reject(error);
      return;
    }
    this.#onStates([{ of: "retry", state: reason, count: 1 }]);
    if (reason !== "connection") {
      queue.unshift(operation);
      return;
    }
    operation.losses++;
    this.#pausing++;
    setTimeout(() => {
      this.#pausing--;
      queue.unshift(operation);
      this.#dispatch();
    }, RECONNECT_MS.first);
  }

  /** Gives up the operations whose time is over while the database is away. */
  #expire(error: unknown): void {
    for (const queue of [this.#writes, this.#reads, this.#lists]) {
      const late = queue.filter(({ deadline }) => performance.now() > deadline);
      for (const operation of late) {
        queue.splice(queue.indexOf(operation), 1);
        operation.reject(error);
      }
    }
  }
}

/** An operation that has run in a transaction, before the transaction's commit. */
interface Done {
  readonly operation: Operation;
  readonly value: unknown;
}

/** Whether the first operation of a queue came before that of another queue. */
function waitsLonger([one]: readonly Operation[], [other]: readonly Operation[]): boolean {
  return one !== undefined && (other === undefined || one.deadline < other.deadline);
}

/** Puts an operation back in its place: behind those that came before it. */
function putBack(queue: Operation[], operation: Operation): void {
  const at = queue.findIndex(({ deadline }) => deadline > operation.deadline);
  queue.splice(at === -1 ? queue.length : at, 0, operation);
}
