import type { EngineEvent } from "../rules/event.ts";

/** A change of a run: an event of this engine, or a hint that another engine has changed the run. */
export type RunChange = EngineEvent | { readonly type: "run.changed"; readonly runId: string };

/** Receives the changes of a run. */
export type RunListener = (change: RunChange) => void;

/**
 * Passes the events of a run to listeners, once they are on disk. The engine publishes every event of its own
 * process here. A run without listeners takes no memory, and nothing is kept for listeners that come later: a
 * listener subscribes first, and reads the run's state afterwards.
 */
export class RunChanges {
  readonly #listeners = new Map<string, Set<RunListener>>();

  /**
   * Calls `listener` with each event of the run from now on.
   *
   * @returns the function that ends the subscription
   */
  subscribe(runId: string, listener: RunListener): () => void {
    const listeners = this.#listeners.get(runId) ?? new Set();
    this.#listeners.set(runId, listeners.add(listener));
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0 && this.#listeners.get(runId) === listeners) this.#listeners.delete(runId);
    };
  }

  /** Tells the listeners of runs that another engine of the same database has changed them. */
  publishElsewhere(runIds: readonly string[]): void {
    for (const runId of runIds) {
      for (const listener of this.#listeners.get(runId) ?? []) listener({ type: "run.changed", runId });
    }
  }

  /** Hands the event to the listeners of its run. */
  publish(event: EngineEvent): void {
    if (!("runId" in event) || event.runId === undefined) return;
    for (const listener of this.#listeners.get(event.runId) ?? []) listener(event);
  }
}
