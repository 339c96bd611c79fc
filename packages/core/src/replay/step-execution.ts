import { encodeStepName } from "../protocol/call.ts";
import type { StepAttempt } from "../steps/index.ts";
import { now } from "../util/test-host.ts";
import type { Invocation } from "./invocation.ts";
import type { PendingStep } from "./step-matcher.ts";

/** One attempt of a step whose work the endpoint does. It owns the code's scope while the work runs. */
export class StepExecution implements StepAttempt {
  declare readonly step: PendingStep;
  /** The invocation that runs the work. */
  declare readonly invocation: object;
  declare readonly attempt: number;
  readonly startedAt: number = now();
  /** Whether other steps were pending when the work began. */
  parallel = false;
  readonly #originalRunId: string;
  #controller: AbortController | undefined;

  constructor(step: PendingStep, invocation: object, attempt: number, originalRunId: string) {
    this.step = step;
    this.invocation = invocation;
    this.attempt = attempt;
    this.#originalRunId = originalRunId;
  }

  // Created when it is read, as the signal: few steps do.
  get idempotencyKey(): string {
    const { type, nth, name } = this.step.key;
    return `${this.#originalRunId}/${type}/${nth}/${encodeStepName(name)}`;
  }

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
