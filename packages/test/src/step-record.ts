import type { Step } from "@perdure/core/testing";

/** One attempt to carry out a step in the endpoint. */
export interface TestAttempt {
  /** Milliseconds of the test's time since the run's start. */
  readonly at: number;
  /** The message of the error that the work has thrown. */
  readonly error?: string;
}

/** A step of a run, as the test has seen it. */
export interface TestStep {
  readonly name: string;
  /** `Run`, `SleepFor`, `SleepUntil`, `Call`, `Wait`, `Notify`, `Invoke`, `CreateWebhook` or `WaitForWebhook`. */
  readonly type: Step["type"];
  /** The occurrence among the steps with this name, from 0 on. */
  readonly index: number;
  /** `running`: the endpoint works on it. `waiting`: for the engine, or for a retry. `failed`: the workflow got its error. */
  readonly state: "running" | "waiting" | "done" | "failed";
  /** When the workflow requested it first: milliseconds of the test's time since the run's start. */
  readonly at: number;
  /** When its result was there. */
  readonly endedAt: number | undefined;
  /** The attempts that the endpoint has made; none for steps that the engine carries out. */
  readonly attempts: readonly TestAttempt[];
  /** The result, as the workflow received it. */
  readonly result: unknown;
}

/** Observes one step. */
export class StepRecord implements TestStep {
  readonly name: string;
  readonly type: Step["type"];
  readonly index: number;
  readonly at: number;
  readonly attempts: { at: number; error?: string }[] = [];
  /** The event for which the step waits. */
  readonly eventId: string | undefined;
  /** The endpoint carries the step out, and not the engine. */
  readonly isOwn: boolean;
  state: TestStep["state"] = "waiting";
  endedAt: number | undefined;
  result: unknown;

  constructor(step: Step, { index, isOwn, at }: Pick<StepRecord, "index" | "isOwn" | "at">) {
    this.name = step.name;
    this.type = step.type;
    this.eventId = step.fields?.waitEventId;
    this.index = index;
    this.isOwn = isOwn;
    this.at = at;
  }

  /** False while the workflow has only requested a step that the endpoint will carry out. */
  get hasBegun(): boolean {
    return !this.isOwn || this.isOver || this.attempts.length > 0;
  }

  get isOver(): boolean {
    return this.state === "done" || this.state === "failed";
  }

  begin(at: number): void {
    this.attempts.push({ at });
    this.state = "running";
  }

  attemptFailed(message: string): void {
    const last = this.attempts.at(-1);
    if (last) last.error = message;
    this.state = "waiting";
  }

  /** Keeps the first end: later invocations hand the same result over again. */
  end(state: "done" | "failed", at: number, result: unknown): void {
    if (this.isOver) return;
    this.state = state;
    this.endedAt = at;
    this.result = result;
  }
}
