import { toErrorBody } from "@perdure/core/protocol";
import type { Engine, ManualClock } from "@perdure/engine";
import { formatDuration } from "./duration.ts";
import { afterRealTime, letOthersRun } from "./real-time.ts";

/** The most time of the test that passes in one wait: ten years. A schedule would never let the time end. */
const MAX_TIME_MS = 10 * 365 * 86_400_000;

/** Turns for which the test's code runs after a wait, before time passes for another wait. */
const TEST_TURNS = 3;

/** A condition for which a test waits. */
export interface Condition {
  /** The condition in words, for the error. */
  readonly what: string;
  /** The time at which the wait is over. */
  readonly target?: number;
  /** @param atRest nothing can go on without time passing */
  isReached(atRest: boolean): boolean;
  /** Returns an error when the condition can't be reached any more. Asked at rest. */
  failure?(): Error | undefined;
}

interface Wait extends Condition {
  readonly begunAt: number;
  resolve(): void;
  reject(error: Error): void;
}

/** The parts of a test that a pump drives. */
export interface PumpOptions {
  readonly engine: Engine;
  readonly clock: ManualClock;
  /** Real milliseconds after which a wait fails. */
  readonly patience: number;
  /** Reads the state of the runs from the engine. */
  refresh(): Promise<void>;
  /** Says for each run what it waits for. */
  describe(): string;
}

/**
 * Lets the engine deliver, and time pass, while a test waits: 1. everything that can go on now goes on; 2. the
 * conditions that are reached end their waits; 3. if none is, time moves on to the engine's next timer. The engine
 * delivers nothing while no test waits, so that a test has the time to look, to mock and to notify.
 */
export class Pump {
  readonly #options: PumpOptions;
  readonly #waits = new Set<Wait>();
  #isRunning = false;
  #isPaused = true;

  constructor(options: PumpOptions) {
    this.#options = options;
  }

  /** True when no further step may begin: the test goes on. */
  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** Waits for a condition. */
  until(condition: Condition): Promise<void> {
    const { clock, patience } = this.#options;
    return new Promise((resolve, reject) => {
      const settle = (act: () => void): void => {
        this.#waits.delete(wait);
        cancel();
        act();
      };
      const wait: Wait = {
        ...condition,
        begunAt: clock.now(),
        isReached: (atRest) => condition.isReached(atRest),
        failure: () => condition.failure?.(),
        resolve: () => settle(resolve),
        reject: (error) => settle(() => reject(error)),
      };
      const cancel = afterRealTime(patience, () =>
        wait.reject(this.#stuck(wait, `within ${formatDuration(patience)} of real time`)),
      );
      this.#waits.add(wait);
      if (!this.#isRunning) void this.#run();
    });
  }

  /** Stops the engine as soon as a condition is reached that need not wait for rest. */
  changed(): void {
    if (this.#isPaused || ![...this.#waits].some((wait) => wait.isReached(false))) return;
    this.#isPaused = true;
    void this.#options.engine.stop();
  }

  /** Ends all waits with an error. */
  fail(error: Error): void {
    for (const wait of this.#waits) wait.reject(error);
  }

  async #run(): Promise<void> {
    const { engine, refresh } = this.#options;
    this.#isRunning = true;
    try {
      while (this.#waits.size > 0) {
        this.#isPaused = false;
        engine.start();
        await engine.idle();
        await refresh();
        if (await this.#endReached()) continue;
        this.#passTime();
      }
    } catch (error) {
      this.fail(error instanceof Error ? error : new Error(toErrorBody(error, false).message));
    } finally {
      this.#isPaused = true;
      this.#isRunning = false;
    }
    await engine.stop();
  }

  /** @returns whether a wait has ended */
  async #endReached(): Promise<boolean> {
    const waits = [...this.#waits];
    const reached = waits.filter((wait) => wait.isReached(true));
    const failed = waits.flatMap((wait) => {
      const error = reached.includes(wait) ? undefined : wait.failure?.();
      return error ? [{ wait, error }] : [];
    });
    if (reached.length + failed.length === 0) return false;
    this.#isPaused = true;
    await this.#options.engine.stop();
    for (const wait of reached) wait.resolve();
    for (const { wait, error } of failed) wait.reject(error);
    if (this.#waits.size > 0) await letOthersRun(TEST_TURNS);
    return true;
  }

  #passTime(): void {
    const { clock } = this.#options;
    const waits = [...this.#waits];
    const limit = Math.min(...waits.map(({ target = Number.POSITIVE_INFINITY }) => target));
    const next = clock.next() ?? Number.POSITIVE_INFINITY;
    for (const wait of waits)
      if (Math.min(next, limit) - wait.begunAt > MAX_TIME_MS)
        wait.reject(this.#stuck(wait, "within ten years of the test's time"));
    if (next > limit) clock.advance(limit - clock.now());
    else if (Number.isFinite(next)) clock.advanceToNext();
  }

  #stuck({ what }: Condition, limit: string): Error {
    return new Error(`${what} didn't happen ${limit}.\n${this.#options.describe()}`);
  }
}
