import type { TriggerWorkflowOptions } from "@perdure/core";
import { checkOptions, toErrorBody } from "@perdure/core/protocol";
import { checkFault, FAULTS, type Fault, type FaultSource } from "./faults.ts";
import { checkWhole } from "./options.ts";
import type { TestRun } from "./test-run.ts";

/** Options of {@link TestEngine.chaos}. */
export interface ChaosOptions<Test> {
  /** The number of schedules of faults. Default: 100. */
  readonly seeds?: number;
  /** The first seed: repeats the schedule that a failure names, with `seeds: 1`. Default: 1. */
  readonly firstSeed?: number;
  /** Default: all. */
  readonly faults?: readonly Fault[];
  /** Prepares each run, the one without faults included: mocks its steps, and sends its events. */
  readonly setup?: (run: TestRun, test: Test) => void | Promise<void>;
  /** Options of each run. Its retries cover the faults, too. */
  readonly trigger?: Omit<TriggerWorkflowOptions, "workflowRunId">;
}

/** The result of {@link TestEngine.chaos} when no run differs. */
export interface ChaosReport {
  readonly seeds: number;
  /** The number of faults that have happened. */
  readonly faults: number;
}

/** A run with faults whose outcome differs from that of the run without. */
export interface ChaosDifference {
  readonly seed: number;
  /** False when each delivery ran one step. */
  readonly inline: boolean;
  /** The faults that have happened, such as `crash at "charge"`. */
  readonly faults: readonly string[];
  /** The first step whose result differs, or that only one of the runs has; undefined when only the end differs. */
  readonly step: string | undefined;
  /** The runtime's error where the workflow takes another way than before; undefined where the run has ended. */
  readonly mismatch: string | undefined;
  /** The timeline of the run without faults. */
  readonly expected: string;
  /** The timeline of this run. */
  readonly actual: string;
}

/** A workflow takes another way in a later invocation of one run. Ends the run's test. */
export class MismatchError extends Error {}

/** Runs of one workflow differ under faults. */
export class ChaosError extends Error {
  override name = "ChaosError";
  /** The differences by their seeds. Empty where the run without faults isn't deterministic. */
  readonly differences: readonly ChaosDifference[];

  /** Tests get the error from {@link TestEngine.chaos}. */
  constructor(message: string, differences: readonly ChaosDifference[] = []) {
    super(message);
    this.differences = differences;
  }
}

function describeDifferences(differences: readonly ChaosDifference[], runs: number): string {
  const [first] = differences;
  const where = first?.step === undefined ? "its end" : `step "${first.step}"`;
  const faults = first?.faults.join(", ") || "no fault";
  return (
    `${differences.length} of ${runs} runs with faults end otherwise than the run without. ` +
    `Seed ${first?.seed} (${faults}${first?.inline ? "" : ", one step a delivery"}) differs at ${where}` +
    `${first?.mismatch === undefined ? "." : `: ${first.mismatch}`}\n` +
    `Without faults:\n${first?.expected}\nWith seed ${first?.seed}:\n${first?.actual}`
  );
}

/** A test that runs a workflow once. */
interface OneRun {
  readonly run: TestRun;
  close(): Promise<void>;
}

/** The run of one seed. */
export interface ChaosRun {
  readonly faults: FaultSource;
  readonly inline: boolean;
}

/** The most faults of one run that cost an attempt, which its retries cover. */
const MAX_LOSSES = 3;
const DEFAULT_RETRIES = 3;

/** So many differences are enough: each may take half a second. */
const MAX_DIFFERENCES = 5;

/** Which of an attempt's chances to have a fault come true. */
const PROBABILITY = 0.4;

/** Runs a workflow without faults, and under many schedules of faults, and compares the outcomes. */
export async function compareRuns<Test>(
  start: (chaos: ChaosRun) => Promise<OneRun>,
  options: ChaosOptions<Test>,
): Promise<ChaosReport> {
  const { seeds = 100, firstSeed = 1, faults = FAULTS } = options;
  checkChaos(options);
  const inOrder = await observe(start, { faults: { next: () => undefined }, inline: true });
  if (inOrder.mismatch !== undefined)
    throw new ChaosError(`Without faults, the workflow's invocations differ: ${inOrder.mismatch}`);
  const differences: ChaosDifference[] = [];
  let happened = 0;
  let seed = firstSeed;
  for (; seed < firstSeed + seeds && differences.length < MAX_DIFFERENCES; seed++) {
    const seeded = new SeededFaults(seed, faults);
    const inline = seed % 2 === 0;
    const seen = await observe(start, { faults: seeded, inline });
    happened += seeded.happened.length;
    if (seen.outcome === inOrder.outcome) continue;
    const step = firstDifference(inOrder.steps, seen.steps);
    const { timeline: expected } = inOrder;
    const { mismatch, timeline: actual } = seen;
    differences.push({ seed, inline, faults: seeded.happened, step, mismatch, expected, actual });
  }
  if (differences.length > 0)
    throw new ChaosError(describeDifferences(differences, seed - firstSeed), differences);
  return { seeds, faults: happened };
}

/** @throws TypeError for an unknown option, a fault that isn't one, and numbers that can't be */
function checkChaos<Test>(options: ChaosOptions<Test>): void {
  const names = "seeds firstSeed faults setup trigger";
  checkOptions<ChaosOptions<Test>, typeof names>("chaos", options, names);
  checkWhole("seeds", options.seeds, 1);
  checkWhole("firstSeed", options.firstSeed, 0);
  options.faults?.forEach(checkFault);
}

/** Returns the retries of a run, with those that its faults may cost. */
export function retriesWithFaults(given: Pick<TriggerWorkflowOptions, "retries"> = {}): { retries: number } {
  return { retries: (given.retries ?? DEFAULT_RETRIES) + MAX_LOSSES };
}

interface Seen {
  /** Everything that must be the same. */
  readonly outcome: string;
  /** The results of the steps by their names. */
  readonly steps: ReadonlyMap<string, string>;
  readonly timeline: string;
  /** The error of an invocation that takes another way than those before. */
  readonly mismatch: string | undefined;
}

async function observe(start: (chaos: ChaosRun) => Promise<OneRun>, chaos: ChaosRun): Promise<Seen> {
  const { run, close } = await start(chaos);
  try {
    const outcome = await outcomeOf(run);
    const { message: mismatch } = outcome instanceof MismatchError ? outcome : {};
    const steps = run.steps.map(
      ({ name, index, result }) => [titleOf(name, index), JSON.stringify(result) ?? ""] as const,
    );
    return { outcome: String(outcome), mismatch, steps: new Map(steps), timeline: run.timeline() };
  } finally {
    await close();
  }
}

function messageOf(thrown: unknown): string | undefined {
  return thrown === undefined ? undefined : toErrorBody(thrown, false).message;
}

/** Returns everything of a run's end that must be the same each time. */
async function outcomeOf(run: TestRun): Promise<string | MismatchError> {
  try {
    const { workflowState, result, error } = await run.end();
    const undone = run.rollbacks.map(({ stepName, state }) => [stepName, state]);
    const { answer, error: thrown } = run.failure ?? {};
    return JSON.stringify([workflowState, result, error?.message, undone, answer, messageOf(thrown)]);
  } catch (error) {
    if (error instanceof MismatchError) return error;
    throw error;
  }
}

function titleOf(name: string, index: number): string {
  return index === 0 ? name : `${name} [${index}]`;
}

function firstDifference(
  expected: ReadonlyMap<string, string>,
  actual: ReadonlyMap<string, string>,
): string | undefined {
  const names = new Set([...expected.keys(), ...actual.keys()]);
  return [...names].find((name) => expected.get(name) !== actual.get(name));
}

/** The faults of one seed: each step has one at most. */
class SeededFaults implements FaultSource {
  readonly happened: string[] = [];
  readonly #faults: readonly Fault[];
  readonly #seen = new Set<string>();
  #state: number;
  #losses = 0;

  constructor(seed: number, faults: readonly Fault[]) {
    this.#state = seed;
    this.#faults = faults;
  }

  next(step: string, index: number): Fault | undefined {
    const title = titleOf(step, index);
    if (this.#seen.has(title)) return undefined;
    this.#seen.add(title);
    if (this.#random() > PROBABILITY) return undefined;
    const fault = this.#faults[Math.floor(this.#random() * this.#faults.length)];
    const isLoss = fault === "crash" || fault === "lose-answer";
    if (!fault || (isLoss && this.#losses >= MAX_LOSSES)) return undefined;
    if (isLoss) this.#losses++;
    this.happened.push(`${fault} at "${title}"`);
    return fault;
  }

  /** Mulberry32: a number from 0 to below 1, the same ones for the same seed. */
  #random(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  }
}
