/** Milliseconds for which one request may keep all other requests waiting. */
const MAX_SLICE_MS = 10;

/** Resolves at once, or, after a long turn, once other requests have had theirs. */
export type YieldPoint = () => Promise<void> | undefined;

/** Cuts one request's work into turns: call the result between any two parts of it. */
export function createTimeSlices(): YieldPoint {
  let began = performance.now();
  return () => {
    if (performance.now() - began < MAX_SLICE_MS) return undefined;
    return new Promise((resolve) => {
      setImmediate(() => {
        began = performance.now();
        resolve();
      });
    });
  };
}
