import { AsyncLocalStorage } from "node:async_hooks";
import { ManualClock } from "@perdure/engine";
import { vi } from "vitest";
import type { Random } from "../support/seed.ts";

type Cancel = ReturnType<ManualClock["after"]>;

/** A clock that may be set to another time. As a machine's timers do, its timers go by what passes. */
export class JumpyClock extends ManualClock {
  #offset = 0;

  override now(): number {
    return super.now() + this.#offset;
  }

  override at(time: number, act: () => void): Cancel {
    let cancel: Cancel = () => {};
    const wait = (): void => {
      cancel = this.after(time - this.now(), () => (this.now() < time ? wait() : act()));
    };
    wait();
    return () => cancel();
  }

  /** Milliseconds until the next timer; infinite without one. */
  untilNext(): number {
    const next = this.next();
    return next === undefined ? Number.POSITIVE_INFINITY : Math.max(0, next - super.now());
  }

  /** Shows another time at once, later or earlier. No timer fires. */
  set(ms: number): void {
    this.#offset += ms;
  }
}

/** Where all clocks begin: a seed has the same schedule at any time. */
export const START: number = Date.UTC(2030, 0, 1);

const real = new AsyncLocalStorage<boolean>();

/** Calls a function whose time, with that of all it begins, is the platform's: {@link stubTime} doesn't concern it. */
export const inRealTime = <Result>(act: () => Result): Result => real.run(true, act);

/** Ends what {@link inRealTime} has begun, for a function and all it begins. */
export const inStubbedTime = <Result>(act: () => Result): Result => real.exit(act);

/**
 * The time of the endpoints, in place of the platform's. What measures how long its own work takes, to give way to others, finds
 * at random that it has taken long.
 *
 * @returns the clock, and what puts the platform's back
 */
export function stubTime(random: Random): { readonly clock: JumpyClock; restore(): void } {
  const clock = new JumpyClock(START);
  const { setTimeout: startTimer, clearTimeout: stopTimer } = globalThis;
  const measuredBy = performance.now.bind(performance);
  vi.stubGlobal("setTimeout", (act: (...args: unknown[]) => void, ms = 0, ...args: unknown[]) =>
    real.getStore() ? startTimer(act, ms, ...args) : clock.after(ms, () => act(...args)),
  );
  vi.stubGlobal("clearTimeout", (timer: Cancel | ReturnType<typeof setTimeout> | undefined) =>
    typeof timer === "function" ? timer() : stopTimer(timer),
  );
  let worked = 0;
  // Not by spies, which keep each of the many calls.
  const { now } = Date;
  Date.now = () => (real.getStore() ? now() : clock.now());
  performance.now = () => {
    if (real.getStore()) return measuredBy();
    worked += random.next() < 0.02 ? 20 : 0.01;
    return worked;
  };
  return {
    clock,
    restore() {
      Date.now = now;
      Reflect.deleteProperty(performance, "now");
      vi.unstubAllGlobals();
    },
  };
}

/**
 * Other threads hash and sign, and take as long as they like: a seed would have another schedule each time. No endpoint looks at
 * the signatures here. `vi.restoreAllMocks` ends this.
 */
export function stubThreads(): void {
  for (const method of ["sign", "digest"] as const)
    vi.spyOn(crypto.subtle, method).mockResolvedValue(new ArrayBuffer(32));
}

/** Lets everything else go on. */
export async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise<void>((resolve) => setImmediate(resolve));
}
