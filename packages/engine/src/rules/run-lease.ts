import type { StepKey } from "@perdure/core/protocol";

/**
 * The right of one invocation to append to its run. `number` is a fencing token: it grows with each delivery
 * that offers the right, so that at most one invocation has it.
 */
export interface RunLease {
  readonly runId: string;
  /** The time of the run's creation, which differs between several runs with the same id. */
  readonly createdAt: number;
  readonly number: number;
}

/** The value of `HEADER.lease`. Endpoints don't read it. */
export function formatLease({ runId, createdAt, number }: RunLease): string {
  return `${number}.${createdAt}.${runId}`;
}

/** @returns undefined for a string that no engine has made */
export function parseLease(value: string): RunLease | undefined {
  const [, number, createdAt, runId] = /^(\d{1,15})\.(\d{1,15})\.([\x21-\x7e]{1,512})$/.exec(value) ?? [];
  if (runId === undefined) return undefined;
  return { runId, createdAt: Number(createdAt), number: Number(number) };
}

/** Whether the invocation with this lease holds the run. */
export function isHeldUnder(
  run: { readonly createdAt: number; readonly leaseNumber: number; readonly holder: number | undefined },
  { createdAt, number }: RunLease,
): boolean {
  return run.createdAt === createdAt && run.leaseNumber === number && run.holder !== undefined;
}

/** The steps of a run that may have begun and have no record. */
export interface InProgress {
  /**
   * The lease of the invocation that named the steps. It is older than the run's if later invocations haven't
   * named any.
   */
  readonly lease: number;
  /** `unknown`: the invocation hasn't appended anything, so it may have begun any one step. */
  readonly steps: "unknown" | readonly StepKey[];
}

/** Returns true if a step without a record may have begun. */
export function mayHaveBegun(inProgress: InProgress | undefined): boolean {
  return inProgress !== undefined && inProgress.steps.length > 0;
}

/** The steps that may have begun once a delivery has this lease: any one, unless an earlier invocation has named some. */
export function inProgressUnder(lease: number, earlier: InProgress | undefined): InProgress {
  return earlier && mayHaveBegun(earlier) ? earlier : { lease, steps: "unknown" };
}

/**
 * Whether the end of an invocation says that no step is in progress. It doesn't where an earlier invocation has named steps
 * and this one none: it may not have come to them again.
 */
export function endsSteps(run: {
  readonly inProgress: InProgress | undefined;
  readonly leaseNumber: number;
}): boolean {
  const { inProgress, leaseNumber } = run;
  return !inProgress || inProgress.lease === leaseNumber || inProgress.steps === "unknown";
}

/** The step that an invocation without an answer counts against: the only one that was in progress. */
export function stepUnderWay(inProgress: InProgress | undefined, lease: number): StepKey | undefined {
  if (!inProgress || inProgress.lease !== lease || inProgress.steps === "unknown") return undefined;
  const [first, ...others] = inProgress.steps;
  return others.length === 0 ? first : undefined;
}
