import { queryTimeout } from "../query-timeout.ts";
import { Thread } from "./thread.ts";
import type { ThreadRequest } from "./thread-message.ts";

/** Threads at most: one slow list doesn't hold up all others. */
const MAX_THREADS = 2;

/** A list that waits for a thread, or runs in one. */
interface Pending {
  readonly request: ThreadRequest;
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Runs lists in threads, so that they hold up no delivery. A list that takes too long ends with an error. Nothing can
 * interrupt its statement, so its thread takes no other list until the statement ends.
 */
export class ListThreads {
  readonly #create: () => Thread;
  readonly #threads: Thread[] = [];
  readonly #free: Thread[] = [];
  readonly #pending: Pending[] = [];
  #limit = Number.POSITIVE_INFINITY;

  /** @param module serves the lists. @param data for the module */
  constructor(module: URL, data: unknown) {
    this.#create = () => new Thread(module, data);
  }

  /** Sets the longest time of a list, in milliseconds. */
  limit(ms: number): void {
    this.#limit = ms;
  }

  /** @throws EngineError `query_timeout` */
  run(request: ThreadRequest): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const timer = Number.isFinite(this.#limit)
        ? setTimeout(() => {
            const at = this.#pending.indexOf(pending);
            if (at >= 0) this.#pending.splice(at, 1);
            reject(queryTimeout(this.#limit));
          }, this.#limit)
        : undefined;
      const pending: Pending = {
        request,
        resolve: (result) => {
          clearTimeout(timer);
          resolve(result);
        },
        reject: (error) => {
          clearTimeout(timer);
          reject(error);
        },
      };
      this.#pending.push(pending);
      this.#dispatch();
    });
  }

  /** Ends all threads, after the lists in progress. */
  async end(): Promise<void> {
    await Promise.all(this.#threads.map((thread) => thread.end()));
  }

  async close(): Promise<void> {
    await Promise.all(this.#threads.map((thread) => thread.close()));
  }

  #dispatch(): void {
    if (this.#pending.length === 0) return;
    const thread = this.#free.pop() ?? this.#another();
    const pending = thread && this.#pending.shift();
    if (!pending) return;
    void thread
      .run(pending.request)
      .then(pending.resolve, pending.reject)
      .finally(() => {
        this.#free.push(thread);
        this.#dispatch();
      });
  }

  #another(): Thread | undefined {
    if (this.#threads.length >= MAX_THREADS) return undefined;
    const thread = this.#create();
    this.#threads.push(thread);
    return thread;
  }
}
