/** One line of the benchmark's result. */
export interface Row {
  readonly name: string;
  /** The ratio of each round, in order. */
  readonly ratios: readonly number[];
  /** The median must reach it; absent where the ratio is only told. */
  readonly bar?: Bar;
  /** Absolute figures behind the ratio, for the reader only: machines differ. */
  readonly figures: string;
}

export type Bar = { readonly atMost: number } | { readonly atLeast: number };

/** Something that takes turns with another one. */
export interface Contender {
  readonly name: string;
  readonly run: () => Promise<void>;
}

/** How often each contender has its turn, and how often it runs in one. */
export interface Turns {
  readonly rounds: number;
  readonly perRound: number;
}

const DEFAULT_TURNS: Turns = { rounds: 15, perRound: 40 };

/** The middle one of the sorted values. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

/** Whether a row's median reaches its bar. */
export function isMet({ ratios, bar }: Row): boolean {
  if (!bar) return true;
  const ratio = median(ratios);
  return "atMost" in bar ? ratio <= bar.atMost : ratio >= bar.atLeast;
}

/**
 * Lets two contenders take turns, so that whatever else the machine does meets both.
 *
 * @returns the time of `ours` divided by that of `peer`, for each round but the first, which only warms up
 */
export async function compare(
  name: string,
  ours: Contender,
  peer: Contender,
  { rounds, perRound }: Turns = DEFAULT_TURNS,
): Promise<Row> {
  const times: Record<"ours" | "peer", number[]> = { ours: [], peer: [] };
  for (let round = 0; round <= rounds; round++) {
    const turns = [["ours", ours] as const, ["peer", peer] as const];
    for (const [who, contender] of round % 2 === 0 ? turns : turns.toReversed()) {
      const ms = await time(contender, perRound);
      if (round > 0) times[who].push(ms);
    }
  }
  const figures = `${ours.name} ${median(times.ours).toFixed(3)} ms, ${peer.name} ${median(times.peer).toFixed(3)} ms`;
  return { name, ratios: times.ours.map((ms, round) => ms / (times.peer[round] ?? Number.NaN)), figures };
}

async function time({ run }: Contender, turns: number): Promise<number> {
  const start = performance.now();
  for (let turn = 0; turn < turns; turn++) await run();
  return (performance.now() - start) / turns;
}
