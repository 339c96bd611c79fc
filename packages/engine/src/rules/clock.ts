/** Cancels a timer of {@link Clock.after}; without effect once it has fired. */
export type Cancel = () => void;

/** The only source of time in the engine. */
export interface Clock {
  /** Whole milliseconds since 1970. */
  now(): number;
  /** Calls `act` once, when `ms` milliseconds have passed. */
  after(ms: number, act: () => void): Cancel;
  /**
   * Calls `act` once, when `now()` reaches `time`. Without this method, the engine looks at `now()` every two
   * seconds.
   */
  at?(time: number, act: () => void): Cancel;
  /**
   * Calls `act` every `ms` milliseconds, for upkeep: nothing waits for it, and it keeps no process alive.
   * Without this method, the engine cleans up only beside other work.
   */
  every?(ms: number, act: () => void): Cancel;
}

/** Milliseconds after which a wait looks at the time again. */
const LOOK_EVERY = 2000;

/**
 * Calls `act` once, when the clock reaches `time`, even if the clock jumps: while a machine sleeps, the
 * platform's timers stand still, and its clock may be set in either direction.
 */
export function callAt(clock: Clock, time: number, act: () => void): Cancel {
  if (clock.at) return clock.at(time, act);
  let cancel: Cancel;
  const wait = (): void => {
    const left = time - clock.now();
    cancel = left > LOOK_EVERY ? clock.after(LOOK_EVERY, wait) : clock.after(left, check);
  };
  const check = (): void => (clock.now() < time ? wait() : act());
  wait();
  return () => cancel();
}

interface Timer {
  readonly at: number;
  readonly act: () => void;
}

interface Repetition {
  readonly ms: number;
  readonly act: () => void;
  next: number;
}

/**
 * A clock for tests: time passes only when the test moves it.
 *
 * @example
 * ```ts
 * const clock = new ManualClock();
 * const engine = createEngine({ store: ":memory:", token, signingKeys, clock });
 * engine.start();
 * clock.advance(60_000); // delivers everything that is due within a minute
 * await engine.idle();
 * ```
 */
export class ManualClock implements Clock {
  #now: number;
  readonly #timers = new Set<Timer>();
  readonly #repetitions = new Set<Repetition>();

  /**
   * @param start milliseconds since 1970; now by default, so that signatures are still valid for real clocks
   */
  constructor(start: number = Date.now()) {
    this.#now = start;
  }

  /** Whole milliseconds, as a real clock shows them, also when a timer of a fraction has fired. */
  now(): number {
    return Math.floor(this.#now);
  }

  after(ms: number, act: () => void): Cancel {
    const timer = { at: this.#now + Math.max(0, ms), act };
    this.#timers.add(timer);
    return () => void this.#timers.delete(timer);
  }

  at(time: number, act: () => void): Cancel {
    return this.after(time - this.#now, act);
  }

  every(ms: number, act: () => void): Cancel {
    const repetition = { ms, act, next: this.#now + ms };
    this.#repetitions.add(repetition);
    return () => void this.#repetitions.delete(repetition);
  }

  /**
   * Returns the time at which the next timer of {@link after} or {@link at} is due, in milliseconds since
   * 1970; `undefined` when none waits.
   */
  next(): number | undefined {
    return this.#earliest()?.at;
  }

  /**
   * Moves on by `ms` milliseconds and fires, in order and each at its time, the timers that come due. Then it
   * fires each repeated timer once.
   */
  advance(ms: number): void {
    const target = this.#now + ms;
    for (let timer = this.#earliest(); timer && timer.at <= target; timer = this.#earliest()) {
      this.#timers.delete(timer);
      this.#now = Math.max(this.#now, timer.at);
      timer.act();
    }
    this.#now = target;
    for (const repetition of this.#repetitions) {
      if (repetition.next > target) continue;
      repetition.next = target + repetition.ms;
      repetition.act();
    }
  }

  /** Moves on to the next timer and fires it. `false` when none waits. */
  advanceToNext(): boolean {
    const next = this.next();
    if (next === undefined) return false;
    this.advance(Math.max(0, next - this.#now));
    return true;
  }

  #earliest(): Timer | undefined {
    let earliest: Timer | undefined;
    // If two timers have the same time, the earlier one fires first: a set keeps the order of insertion.
    for (const timer of this.#timers) if (!earliest || timer.at < earliest.at) earliest = timer;
    return earliest;
  }
}
