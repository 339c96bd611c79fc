// The test may have replaced the timers by fake ones, which this package must not wait for.
const { setTimeout: setRealTimeout, clearTimeout: clearRealTimeout } = globalThis;

/** Calls `act` after real milliseconds. @returns a function that cancels it */
export function afterRealTime(ms: number, act: () => void): () => void {
  const timer = setRealTimeout(act, ms);
  return () => clearRealTimeout(timer);
}

/** Resolves after real milliseconds. */
export function realTime(ms: number): Promise<void> {
  return new Promise((resolve) => void afterRealTime(ms, resolve));
}

/** Lets all other work of the process that is ready run first, several times. */
export async function letOthersRun(turns: number): Promise<void> {
  for (let turn = 0; turn < turns; turn++) await realTime(0);
}
