// `pnpm test` runs a sample of the longest suites, another one each day. `pnpm test` with groups, `.ci/run` and vitest itself run
// all of their cases.

const SAMPLE = "TEST_SAMPLE";
const DAY_MS = 24 * 60 * 60 * 1000;

/** Whether a sample runs, and not all cases. */
export const isSample = (): boolean => readNumber(process.env) !== undefined;

/**
 * Chooses the cases of a suite that run: all of them, or in a sample each nth. Samples with consecutive numbers have different
 * cases, and n of them have all.
 *
 * @param every n
 * @param covering fields of the cases: a sample has a case for each value that one of these has in the list
 * @example
 * it.each(sampled(rows, 4, ["way", "start"]))("$way, started by $start", async ({ way, start }) => {});
 */
export function sampled<Case>(
  cases: readonly Case[],
  every: number,
  covering: readonly (keyof Case)[] = [],
): readonly Case[] {
  const number = readNumber(process.env);
  return number === undefined ? cases : takeSample(cases, { number, every, covering });
}

/**
 * The files of a suite that another project runs, too: in a sample each second one. {@link settingOfRepeats} says which sample of
 * its cases a file runs.
 */
export function sampledFiles(files: readonly string[]): readonly string[] {
  return sampled(files, 2);
}

/** The variable of tests in {@link sampledFiles}. */
export function settingOfRepeats(): Readonly<Record<string, string>> {
  const number = readNumber(process.env);
  return number === undefined ? {} : { [SAMPLE]: String(sampleInRepeats(number)) };
}

/** @returns consecutive numbers for each second one: otherwise cases of odd samples would never run in files of even ones */
export function sampleInRepeats(number: number): number {
  return Math.floor(number / 2);
}

/** How many random cases a suite tries that has new ones in each run: `count`, or in a sample an nth of it. */
export function sampledCount(count: number, every: number): number {
  return isSample() ? Math.ceil(count / every) : count;
}

/** Which part of a list is a sample. */
export interface Sampling<Case> {
  readonly number: number;
  readonly every: number;
  readonly covering: readonly (keyof Case)[];
}

/** @returns the cases of one sample, in the order of the list */
export function takeSample<Case>(
  cases: readonly Case[],
  { number, every, covering }: Sampling<Case>,
): readonly Case[] {
  const period = Math.min(every, cases.length);
  // Scattered, because neighbours in a table often have a value in common.
  const scattered = cases.map((_, at) => at).sort((one, other) => scatter(one) - scatter(other));
  const chosen = new Set(scattered.filter((_, place) => (place + number) % period === 0));
  for (const field of covering) {
    for (const [nth, value] of [...new Set(cases.map((one) => one[field]))].entries()) {
      const candidates = scattered.filter((at) => cases[at]?.[field] === value);
      if (candidates.some((at) => chosen.has(at))) continue;
      chosen.add(candidates[(number + nth) % candidates.length] as number);
    }
  }
  return cases.filter((_, at) => chosen.has(at));
}

/** A number for a place in a list: sorted by it, neighbours are far apart. */
function scatter(at: number): number {
  return Math.imul(at + 1, 0x9e_37_79_b1) >>> 0;
}

/** A run of `pnpm test`, as far as it decides about the sample. */
export interface Occasion {
  /** The groups that are asked for. */
  readonly groups: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Milliseconds since 1970. */
  readonly now: number;
}

/**
 * Decides which sample `pnpm test` runs: that of the day, or the one that `TEST_SAMPLE` names.
 *
 * @returns undefined where all cases run: in CI, and for groups, unless `TEST_SAMPLE` asks for a sample of them
 */
export function sampleOf({ groups, env, now }: Occasion): number | undefined {
  if (env.CI || groups.includes("all")) return undefined;
  return readNumber(env) ?? (groups.length > 0 ? undefined : Math.floor(now / DAY_MS));
}

/** @throws TypeError for a number that would choose no case */
function readNumber({ [SAMPLE]: text }: Occasion["env"]): number | undefined {
  if (!text) return undefined;
  if (!/^\d{1,9}$/.test(text)) throw new TypeError(`${SAMPLE} must be the number of a sample; got "${text}"`);
  return Number(text);
}

/** Sets the sample of the tests that this process starts; all cases for undefined. */
export function useSample(number: number | undefined): void {
  if (number === undefined) delete process.env[SAMPLE];
  else process.env[SAMPLE] = String(number);
}
