/** Seconds that a hook, a receiver, a guard or an engine has to answer. One that hangs must not block requests forever. */
export const ANSWER_TIMEOUT_SECONDS = 10;

/** The longest delay of a timer. A longer one would fire at once. */
export const MAX_TIMER_MS: number = 2 ** 31 - 1;

/**
 * Settles as `work` does, or rejects when the time is over or the signal aborts first.
 *
 * @param ms up to {@link MAX_TIMER_MS}
 * @param work gets a signal that aborts then
 */
export async function within<Result>(
  ms: number,
  signal: AbortSignal | undefined,
  work: (limit: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const limit = new AbortController();
  const abort = (): void => limit.abort();
  const timer = setTimeout(abort, ms);
  signal?.addEventListener("abort", abort);
  try {
    const aborted = new Promise<never>((_, reject) => limit.signal.addEventListener("abort", reject));
    return await Promise.race([work(limit.signal), aborted]);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", abort);
  }
}

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
    const fail = (): void => reject(new Error(`${what} took longer than ${seconds} seconds.`));
    timer = setTimeout(fail, Math.min(seconds * 1000, MAX_TIMER_MS));
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
