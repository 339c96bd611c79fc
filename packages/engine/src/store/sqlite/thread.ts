import { Worker } from "node:worker_threads";
import { StoreUnavailable } from "../unavailable.ts";
import { fromThreadError, type ThreadAnswer, type ThreadRequest } from "./thread-message.ts";

interface Call {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * A thread that runs operations on a connection of its own: SQLite's statements would hold up everything else on
 * this one. It begins with the first operation, does one at a time, and keeps no process alive that waits for nothing.
 */
export class Thread {
  readonly #module: URL;
  readonly #data: unknown;
  #worker: Worker | undefined;
  #call: Call | undefined;
  #closed = false;
  #last: Promise<unknown> = Promise.resolve();

  /**
   * @param module serves the operations
   * @param data for the module
   */
  constructor(module: URL, data: unknown) {
    this.#module = module;
    this.#data = data;
  }

  /** Runs an operation, after those that were asked for before it. */
  run(request: ThreadRequest): Promise<unknown> {
    const result = this.#last.then(() => this.#run(request));
    this.#last = result.catch(() => {});
    return result;
  }

  #run(request: ThreadRequest): Promise<unknown> {
    if (this.#closed) return Promise.reject(new StoreUnavailable("The store is closed."));
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
    await this.#worker?.terminate();
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#worker?.terminate();
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
      if (this.#worker === worker) this.#worker = undefined;
      const error = new StoreUnavailable("The thread that reads the database has ended.", { cause });
      this.#take(({ reject }) => reject(error));
    });
    return worker;
  }

  #take(end: (call: Call) => void): void {
    const call = this.#call;
    this.#call = undefined;
    this.#worker?.unref();
    if (call) end(call);
  }
}
