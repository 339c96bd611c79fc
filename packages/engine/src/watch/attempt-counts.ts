import type { Clock } from "../rules/clock.ts";
import type { EngineEvent } from "../rules/event.ts";

/** The attempts that have ended in one minute, and the longest delay of a first attempt behind its time. */
export interface AttemptCount {
  /** Milliseconds since 1970. */
  readonly time: number;
  attempts: number;
  failedAttempts: number;
  /** Milliseconds. */
  maxLag: number;
}

const MINUTE = 60_000;
const MINUTES_KEPT = 24 * 60;

/** Counts the attempts of an engine by the minute, for a day: a bounded amount of memory. */
export class AttemptCounts {
  readonly #clock: Clock;
  readonly #minutes = new Map<number, AttemptCount>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  count(event: EngineEvent): void {
    switch (event.type) {
      case "delivering":
        if (event.lag !== undefined) this.#now().maxLag = Math.max(this.#now().maxLag, event.lag);
        return;
      case "delivered":
      case "called":
        this.#now().attempts++;
        return;
      case "retrying":
      case "failed":
        this.#now().attempts++;
        this.#now().failedAttempts++;
        return;
      default:
        return;
    }
  }

  /** The minutes that begin in a period. @param from milliseconds since 1970, inclusive; `to` is exclusive */
  between(from: number, to: number): AttemptCount[] {
    return [...this.#minutes.values()].filter(({ time }) => time >= from && time < to);
  }

  #now(): AttemptCount {
    const now = this.#clock.now();
    const time = now - (now % MINUTE);
    const known = this.#minutes.get(time);
    if (known) return known;
    const added = { time, attempts: 0, failedAttempts: 0, maxLag: 0 };
    this.#minutes.set(time, added);
    const [oldest] = this.#minutes.keys();
    if (this.#minutes.size > MINUTES_KEPT && oldest !== undefined) this.#minutes.delete(oldest);
    return added;
  }
}
