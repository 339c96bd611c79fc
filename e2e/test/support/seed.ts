/** A source of random numbers that repeats its sequence for the same seed. */
export interface Random {
  readonly seed: number;
  /** At least 0, less than 1. */
  next(): number;
}

/**
 * The random numbers of one test. The environment variable `SEED` repeats an earlier run; otherwise each run has a seed
 * of its own.
 */
export function seeded(
  seed: number = Number(process.env.SEED) || Math.floor(Math.random() * 2 ** 31),
): Random {
  // mulberry32
  let state = seed;
  return {
    seed,
    next() {
      state = (state + 0x6d_2b_79_f5) | 0;
      let mixed = Math.imul(state ^ (state >>> 15), state | 1);
      mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
      return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
    },
  };
}
