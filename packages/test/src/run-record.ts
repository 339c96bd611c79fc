import type { FailureFunctionParams } from "@perdure/core";
import type { Step } from "@perdure/core/testing";
import type { RunInfo } from "@perdure/engine";
import { type FaultSource, PlannedFaults } from "./faults.ts";
import { StepMocks } from "./mocks.ts";
import { StepRecord } from "./step-record.ts";

/** The calls of a run's failure function. */
export interface TestFailure {
  /** The argument of its last call. */
  readonly received: FailureFunctionParams;
  /** The number of its calls. */
  readonly attempts: number;
  /** The value that the last call returned; undefined when it threw. */
  readonly answer: unknown;
  /** The error that the last call threw. */
  readonly error: unknown;
}

/** The observations of a run, and the mocks and faults that are planned for it. */
export class RunRecord {
  readonly id: string;
  /** By the test's clock, in milliseconds since 1970. */
  readonly createdAt: number;
  readonly mocks: StepMocks = new StepMocks();
  readonly planned: PlannedFaults = new PlannedFaults();
  /** Decides on the faults. */
  faults: FaultSource = this.planned;
  failure: TestFailure | undefined;
  /** The error that the endpoint's last answer had, of a delivery that has failed. */
  lastError: string | undefined;
  /** The run as the engine last showed it. */
  info: RunInfo | undefined;
  /** The run has ended, and so have its rollbacks and its failure or cancel function. */
  isOver = false;
  readonly #steps = new Map<string, StepRecord>();

  constructor(id: string, createdAt: number) {
    this.id = id;
    this.createdAt = createdAt;
  }

  get steps(): StepRecord[] {
    return [...this.#steps.values()];
  }

  /** The record of a step, which begins with its first request. */
  step(step: Step, { index, isOwn, at }: Pick<StepRecord, "index" | "isOwn" | "at">): StepRecord {
    const key = `${step.name}#${index}`;
    let record = this.#steps.get(key);
    if (!record) {
      record = new StepRecord(step, { index, isOwn, at: at - this.createdAt });
      this.#steps.set(key, record);
    }
    return record;
  }

  /** The mocks and faults that the run hasn't used, with what helps to find out why. */
  get complaints(): string[] {
    const unused = [...this.mocks.complaints, ...this.planned.complaints];
    if (unused.length === 0) return [];
    const names = [...new Set(this.steps.map(({ name }) => JSON.stringify(name)))];
    const { workflowState, workflowRunError } = this.info ?? {};
    const failed = workflowState === "RUN_FAILED" ? `; it has failed: ${workflowRunError?.message}` : "";
    return [`run ${this.id}: ${unused.join(", ")} (its steps: ${names.join(", ") || "none"}${failed})`];
  }
}

/** The error of a test that hasn't used what it has planned. */
export function unusedError(complaints: readonly string[]): Error {
  return new Error(`Unused in the test: ${complaints.join("; ")}.`);
}
