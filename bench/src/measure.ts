export interface Contender {
  readonly name: string;
  readonly run: () => Promise<void>;
}

export interface Comparison {
  readonly title: string;
  readonly ours: { readonly name: string; readonly ms: number };
  readonly peer: { readonly name: string; readonly ms: number };
  /** Our time divided by the peer's: below 1 is faster. */
  readonly ratio: number;
}

/** How often each contender has its turn, and how much it does then. */
interface Turns {
  readonly rounds: number;
  readonly perRound: number;
}

const USUAL: Turns = { rounds: 15, perRound: 40 };

/**
 * Lets two contenders take turns, so that whatever else the machine does meets both, and compares their best rounds:
 * the ones that were disturbed least.
 */
export async function compare(
  title: string,
  ours: Contender,
  peer: Contender,
  { rounds, perRound }: Turns = USUAL,
): Promise<Comparison> {
  const best = new Map<Contender, number>();
  for (let round = 0; round <= rounds; round++) {
    for (const contender of round % 2 === 0 ? [ours, peer] : [peer, ours]) {
      const ms = await time(contender, perRound);
      // The first round only warms up.
      if (round > 0) best.set(contender, Math.min(ms, best.get(contender) ?? Number.POSITIVE_INFINITY));
    }
  }
  const [a, b] = [best.get(ours) ?? Number.NaN, best.get(peer) ?? Number.NaN];
  return { title, ours: { name: ours.name, ms: a }, peer: { name: peer.name, ms: b }, ratio: a / b };
}

async function time({ run }: Contender, turns: number): Promise<number> {
  const start = performance.now();
  for (let turn = 0; turn < turns; turn++) await run();
  return (performance.now() - start) / turns;
}
