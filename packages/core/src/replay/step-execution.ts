import type { StepKey } from "../protocol/attempt.ts";
import { encodeStepName } from "../protocol/call.ts";
import type { StepAttempt } from "../steps/index.ts";
import type { Invocation } from "./invocation.ts";
import type { PendingStep } from "./step-matcher.ts";

/** One attempt of a step whose work the endpoint does. It owns the code's scope while the work runs. */
export class StepExecution implements StepAttempt {
  readonly step: PendingStep;
  /** The invocation that runs the work. */
  readonly invocation: object;
  readonly attempt: number;
  readonly idempotencyKey: string;
  readonly startedAt: number = Date.now();
  /** Whether other steps were pending when the work began. */
  parallel = false;
  #controller: AbortController | undefined;

  constructor(step: PendingStep, invocation: object, attempt: number, originalRunId: string) {
    this.step = step;
    this.invocation = invocation;
    this.attempt = attempt;
    this.idempotencyKey = idempotencyKey(originalRunId, step.key);
  }

  // Create the signal on first use: few steps read it.
  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    return this.#controller.signal;
  }

  abort(): void {
    void this.signal;
    this.#controller?.abort();
  }
}

/** Does a step's work. @returns its result as JSON */
export function performStep(
  { engine, runId, aroundStep }: Invocation,
  execution: StepExecution,
): Promise<string | undefined> {
  const { attempt } = execution;
  const { step } = execution.step;
  const perform = async () => step.perform?.({ engine, runId, attempt: execution });
  return aroundStep ? aroundStep(step, attempt, perform) : perform();
}

function idempotencyKey(originalRunId: string, { type, nth, name }: StepKey): string {
  return `${originalRunId}/${type}/${nth}/${encodeStepName(name)}`;
}
