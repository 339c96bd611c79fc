import type { Store } from "../commands/store.ts";
import type { RunEnd, RunEndChoice } from "../queries/run-end.ts";
import type { Cancel, Clock } from "../rules/clock.ts";
import { EngineError } from "../rules/engine-error.ts";
import type { RunChange, RunChanges } from "./run-changes.ts";
import { Wait } from "./wait.ts";

/** The objects that waits use, and the maximum number of concurrent waits. */
export interface RunEndsOptions {
  readonly store: Pick<Store, "runEnd">;
  readonly clock: Clock;
  readonly changes: RunChanges;
  readonly most: number;
}

/** The limits of one wait. */
export interface WaitLimits {
  /** Milliseconds; 0 looks once. No limit by default. */
  readonly ms?: number | undefined;
  /** Ends the wait, and frees its place, when it is aborted. */
  readonly signal?: AbortSignal | undefined;
}

/** The events after which a run, or the report of its end, may be over. */
const ENDS: ReadonlySet<RunChange["type"]> = new Set([
  "run.completed",
  "run.canceled",
  "run.expired",
  "failed",
  "failure.reported",
  "failure.canceled",
  "run.changed",
]);

/** Milliseconds after which all waits look again: another process may have changed the database. */
const LOOK_EVERY_MS = 30_000;

/** Seconds after which a caller that got no place may ask again. */
const RETRY_AFTER_S = 2;

/** Waits for the ends of runs, for a bounded number of callers at once. */
export class RunEnds {
  readonly #options: RunEndsOptions;
  readonly #waits = new Set<Wait>();
  #stopped = false;
  #stopLooking: Cancel | undefined;

  constructor(options: RunEndsOptions) {
    this.#options = options;
  }

  /**
   * Waits until a run has ended or the time is over.
   *
   * 1. Subscribes to the run's changes, so that no change after the look goes unnoticed.
   * 2. Looks at the run. Its end is the answer.
   * 3. Waits for a change and looks again. When the time is over, looks a last time.
   *
   * @returns without `run` when the time is over, or the signal is aborted, before the end
   * @throws EngineError `not_found`; `unavailable` when all places are taken, or the engine stops
   */
  async wait(choice: RunEndChoice, { ms, signal }: WaitLimits = {}): Promise<RunEnd> {
    const { clock, changes } = this.#options;
    const wait = this.#begin();
    const unsubscribe = changes.subscribe(choice.id, ({ type }) => {
      if (ENDS.has(type)) wait.look();
    });
    const close = (): void => wait.end("closed");
    signal?.addEventListener("abort", close);
    if (signal?.aborted || ms === 0) wait.end(ms === 0 ? "time" : "closed");
    const cancelTimer = ms ? clock.after(ms, () => wait.end("time")) : undefined;
    try {
      return await this.#lookUntilEnd(wait, choice);
    } finally {
      unsubscribe();
      signal?.removeEventListener("abort", close);
      cancelTimer?.();
      this.#release(wait);
    }
  }

  /** Lets waits begin again after {@link stop}. */
  start(): void {
    this.#stopped = false;
  }

  /** Ends all waits at once, with `unavailable`, and lets no other begin. */
  stop(): void {
    this.#stopped = true;
    for (const wait of this.#waits) wait.end("stopped");
  }

  async #lookUntilEnd(wait: Wait, choice: RunEndChoice): Promise<RunEnd> {
    // A later run may get the same id: the wait is for the one that the first look finds.
    let { createdAt } = choice;
    for (;;) {
      const isLast = wait.ended === "time";
      const end = await this.#options.store.runEnd({ ...choice, createdAt });
      if (end.run || isLast) return end;
      createdAt = end.createdAt;
      const why = await wait.next();
      if (why === "closed") return end;
      if (why === "stopped") throw stopping();
    }
  }

  #begin(): Wait {
    const { most, clock } = this.#options;
    if (this.#stopped) throw stopping();
    if (this.#waits.size >= most) {
      const message = `${most} requests wait for the end of a run already, the most that limits.runWaits allows`;
      throw new EngineError("unavailable", message, { limit: most, retryAfter: RETRY_AFTER_S });
    }
    const wait = new Wait();
    this.#waits.add(wait);
    this.#stopLooking ??= clock.every?.(LOOK_EVERY_MS, () => {
      for (const one of this.#waits) one.look();
    });
    return wait;
  }

  #release(wait: Wait): void {
    this.#waits.delete(wait);
    if (this.#waits.size > 0) return;
    this.#stopLooking?.();
    this.#stopLooking = undefined;
  }
}

function stopping(): EngineError {
  return new EngineError("unavailable", "the engine stops", { retryAfter: RETRY_AFTER_S });
}
