// Not the global one: on some runtimes it returns a number, which has no unref.
import { clearTimeout, setTimeout } from "node:timers";
import type { Store } from "../commands/store.ts";
import { EngineError } from "../rules/engine-error.ts";
import type { EngineEvent, Observer } from "../rules/event.ts";

/** Milliseconds from a change to its indexing, at most while the engine has nothing else to index. */
const DELAY_MS = 300;
/** Milliseconds until the next attempt after an error of the store. */
const RETRY_MS = 5000;
/** Runs that one transaction indexes. */
const BATCH = 50;
/** Changed runs that wait at most; above that, the engine looks for them in the database. */
const MAX_CHANGED = 20_000;
/** The indexing rests this many times as long as it works. */
const REST = 3;
/** Milliseconds that a search waits at most for the index. */
const SETTLE_MS = 3000;

/** The objects that a {@link SearchIndexer} uses. */
export interface SearchIndexerOptions {
  readonly store: Pick<
    Store,
    "openSearch" | "dropSearch" | "indexRuns" | "unindexRuns" | "pruneIndex" | "unindexedRuns"
  >;
  /** False deletes the index. */
  readonly isOn: boolean;
  readonly emit: Observer;
}

/**
 * Keeps the index of the search up to date, outside of the transactions that it follows: by the events of this engine
 * and, at the start, by a look at all runs. It works in small parts and rests between them, so that deliveries go on.
 */
export class SearchIndexer {
  readonly #options: SearchIndexerOptions;
  readonly #changed = new Set<string>();
  readonly #deleted = new Set<number>();
  /** The parts of the look at all runs: the positions to continue at. `undefined`: nothing to look at. */
  #lookAt: { readonly before?: number | undefined } | undefined = {};
  #pruneAfter: number | undefined = 0;
  #opened: Promise<boolean> | undefined;
  #working: Promise<void> | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #stopped = false;

  constructor(options: SearchIndexerOptions) {
    this.#options = options;
    // Threads that list runs look for the index when they begin.
    if (options.isOn) this.#open().catch(() => {});
  }

  /** Opens the index, or deletes it where the search is off, and begins to bring it up to date. */
  start(): void {
    this.#stopped = false;
    if (this.#options.isOn) {
      this.#schedule();
      return;
    }
    this.#options.store.dropSearch().catch((error: unknown) => this.#fault(error));
  }

  /** Ends the indexing. The next start finds what is left. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    await this.#working;
  }

  /** Notes the run of an event. */
  publish(event: EngineEvent): void {
    if (!this.#options.isOn || !("runId" in event) || event.runId === undefined) return;
    if (this.#changed.size >= MAX_CHANGED) {
      this.#changed.clear();
      this.#lookAt = {};
    }
    this.#changed.add(event.runId);
    this.#schedule();
  }

  /** Notes that runs were deleted. */
  forget(keys: readonly number[]): void {
    if (!this.#options.isOn || keys.length === 0) return;
    for (const key of keys) this.#deleted.add(key);
    this.#schedule();
  }

  /** Whether this engine searches in texts. */
  async isAvailable(): Promise<boolean> {
    return this.#options.isOn && (await this.#open());
  }

  /**
   * Waits until the index has the changes that this engine knows of, at most for three seconds.
   *
   * @throws EngineError `not_possible_here` when this engine doesn't search in texts
   */
  async settle(): Promise<void> {
    const { isOn } = this.#options;
    if (!isOn) throw new EngineError("not_possible_here", "the search is off: the option search is false");
    if (!(await this.#open())) {
      throw new EngineError(
        "not_possible_here",
        "this engine can't search in texts: the SQLite of its runtime has no FTS5, which Node has from 22.15 on",
      );
    }
    const until = performance.now() + SETTLE_MS;
    try {
      while (!this.#isIdle && performance.now() < until) await this.#workOnce();
    } catch (error) {
      // The search finds what has been indexed before.
      this.#fault(error);
    }
  }

  #open(): Promise<boolean> {
    this.#opened ??= this.#options.store.openSearch().catch((error: unknown) => {
      this.#opened = undefined;
      throw error;
    });
    return this.#opened;
  }

  get #isIdle(): boolean {
    const left = this.#changed.size + this.#deleted.size > 0;
    return !left && this.#lookAt === undefined && this.#pruneAfter === undefined;
  }

  #schedule(ms = DELAY_MS): void {
    if (this.#stopped || this.#timer) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      void this.#workAndRest();
    }, ms).unref();
  }

  async #workAndRest(): Promise<void> {
    const began = performance.now();
    try {
      if (!(await this.#open())) return;
      await this.#workOnce();
    } catch (error) {
      this.#fault(error);
      this.#schedule(RETRY_MS);
      return;
    }
    if (!this.#isIdle) this.#schedule(REST * (performance.now() - began));
  }

  /** Does one part of the work, after the part that is under way. */
  #workOnce(): Promise<void> {
    const part = (this.#working ?? Promise.resolve()).then(() => this.#work());
    const ended = part.catch(() => {});
    this.#working = ended;
    return part;
  }

  async #work(): Promise<void> {
    const { store } = this.#options;
    const deleted = [...this.#deleted].slice(0, BATCH);
    if (deleted.length > 0) {
      await store.unindexRuns(deleted);
      for (const key of deleted) this.#deleted.delete(key);
    }
    const changed = [...this.#changed].slice(0, BATCH);
    if (changed.length > 0) return this.#index(changed);
    if (this.#pruneAfter !== undefined) {
      this.#pruneAfter = await store.pruneIndex(this.#pruneAfter);
      return;
    }
    if (!this.#lookAt) return;
    const { ids, next } = await store.unindexedRuns(this.#lookAt.before);
    this.#lookAt = next === undefined ? undefined : { before: next };
    for (const id of ids) this.#changed.add(id);
  }

  async #index(ids: readonly string[]): Promise<void> {
    // A change that comes during the work needs another call.
    for (const id of ids) this.#changed.delete(id);
    try {
      const left = await this.#options.store.indexRuns(ids);
      for (const id of left) this.#changed.add(id);
    } catch (error) {
      for (const id of ids) this.#changed.add(id);
      throw error;
    }
  }

  #fault(error: unknown): void {
    if (!this.#stopped) this.#options.emit({ type: "fault", during: "indexing for the search", error });
  }
}
