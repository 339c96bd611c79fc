/** Milliseconds for which one request may keep all others waiting. */
const LONGEST_TURN = 10;

/** Resolves at once, or after the others have had their turn when this one has lasted long enough. */
export type Pause = () => Promise<void> | undefined;

/** Cuts one request's work into turns: call the result between any two parts of it. */
export function createTurns(): Pause {
  let began = performance.now();
  return () => {
    if (performance.now() - began < LONGEST_TURN) return undefined;
    return new Promise((resolve) => {
      setImmediate(() => {
        began = performance.now();
        resolve();
      });
    });
  };
}
