// Not the global one: on some runtimes it returns a number, which has no unref.
import { clearTimeout, setTimeout } from "node:timers";
import { Worker } from "node:worker_threads";
import { StoreUnavailable, storeClosed } from "../unavailable.ts";
import { fromThreadError, type ThreadAnswer, type ThreadRequest } from "./thread-message.ts";

interface Call {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/** Milliseconds without an operation after which a thread ends: even one without any module takes 18 MB. */
const IDLE_MS = 30_000;

/**
 * A thread that runs operations on a connection of its own: SQLite's statements would hold up everything else on
 * this one. It begins with the first operation, does one at a time, ends when it has had none for a while, and keeps no
 * process alive that waits for nothing.
 */
export class Thread {
  readonly #module: URL;
  readonly #data: unknown;
  readonly #idleMs: number;
  #worker: Worker | undefined;
  /** Ends the idle thread. */
  #idle: ReturnType<typeof setTimeout> | undefined;
  /** Pending while an idle thread ends. */
  #ending: Promise<unknown> | undefined;
  #call: Call | undefined;
  #closed = false;
  #last: Promise<unknown> = Promise.resolve();

  /**
   * @param module serves the operations
   * @param data for the module
   * @param idleMs milliseconds without an operation after which the thread ends, until the next one
   */
  constructor(module: URL, data: unknown, idleMs: number = IDLE_MS) {
    this.#module = module;
    this.#data = data;
    this.#idleMs = idleMs;
  }

  get isRunning(): boolean {
    return this.#worker !== undefined;
  }

  /** Runs an operation, after those that were asked for before it. */
  run(request: ThreadRequest): Promise<unknown> {
    const result = this.#last.then(() => this.#run(request));
    this.#last = result.catch(() => {});
    return result;
  }

  #run(request: ThreadRequest): Promise<unknown> {
    if (this.#closed) return Promise.reject(storeClosed());
    clearTimeout(this.#idle);
    this.#worker ??= this.#start();
    const worker = this.#worker;
    worker.ref();
    return new Promise((resolve, reject) => {
      this.#call = { resolve, reject };
      worker.postMessage(request);
    });
  }

  /** Ends the thread after the operation in progress. The next operation begins another one. */
  async end(): Promise<void> {
    await this.#last;
    await this.#terminate();
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#terminate();
  }

  async #terminate(): Promise<void> {
    clearTimeout(this.#idle);
    await Promise.all([this.#worker?.terminate(), this.#ending]);
  }

  /** Ends the thread while no operation is in progress. The next one doesn't wait for its end. */
  #endIdle(): void {
    this.#ending = this.#worker?.terminate();
    this.#worker = undefined;
  }

  #start(): Worker {
    const worker = new Worker(this.#module, { workerData: this.#data });
    worker.on("message", (answer: ThreadAnswer) => {
      this.#take(({ resolve, reject }) =>
        "error" in answer ? reject(fromThreadError(answer.error)) : resolve(answer.result),
      );
    });
    let cause: unknown;
    worker.on("error", (error) => (cause = error));
    worker.on("exit", () => {
      // Another thread has taken the place of an idle one.
      if (this.#worker !== worker) return;
      this.#worker = undefined;
      const error = this.#closed
        ? storeClosed()
        : new StoreUnavailable("The thread that reads the database has ended.", { cause });
      this.#take(({ reject }) => reject(error));
    });
    return worker;
  }

  #take(end: (call: Call) => void): void {
    const call = this.#call;
    this.#call = undefined;
    if (this.#worker) {
      this.#worker.unref();
      this.#idle = setTimeout(() => this.#endIdle(), this.#idleMs).unref();
    }
    if (call) end(call);
  }
}
