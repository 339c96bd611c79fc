import { readFailure } from "@perdure/core/protocol";

/** A step of a run, or a delivery that doesn't run a step on record. */
export interface Step {
  /** Absent for a delivery that doesn't run a step on record. */
  readonly stepName?: string;
  readonly stepType?: string;
  readonly state: string;
  readonly createdAt?: number;
  readonly durationMs?: number;
  readonly retries?: number;
  readonly errors?: readonly {
    readonly error: string;
    readonly body?: string;
    readonly status: number;
  }[];
  readonly out?: unknown;
}

/** A page of a run's steps. */
export interface StepsPage {
  readonly steps: readonly Step[];
  readonly cursor?: string;
}

/** Returns the message of the last failed attempt. */
export function lastError(errors: Step["errors"] = []): string | undefined {
  const last = errors.at(-1);
  return last && readFailure(last.body || last.error, last.status).message;
}
