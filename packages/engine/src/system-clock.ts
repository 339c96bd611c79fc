import type { Clock } from "./rules/clock.ts";

// The longest delay of the platform's timers: about 24 days.
const MAX_TIMER_MS = 2 ** 31 - 1;

/** The machine's clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  after(ms, act) {
    const end = Date.now() + ms;
    let timer: ReturnType<typeof setTimeout>;
    const wait = (): void => {
      const left = end - Date.now();
      timer = left > MAX_TIMER_MS ? setTimeout(wait, MAX_TIMER_MS) : setTimeout(act, Math.max(0, left));
    };
    wait();
    return () => clearTimeout(timer);
  },
  every(ms, act) {
    const timer = setInterval(act, ms).unref();
    return () => clearInterval(timer);
  },
};
