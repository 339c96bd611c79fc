/** The longest delay of a timer. A longer one would fire at once. */
export const MAX_TIMER_MS: number = 2 ** 31 - 1;

/**
 * Returns the result of `work`, if it settles in time.
 *
 * @param what the subject of the error's sentence
 * @throws Error when `seconds` pass first
 */
export async function withTimeout<Result>(
  seconds: number,
  what: string,
  work: Result | Promise<Result>,
): Promise<Result> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    const error = new Error(`${what} took longer than ${seconds} seconds.`);
    timer = setTimeout(reject, Math.min(seconds * 1000, MAX_TIMER_MS), error);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
