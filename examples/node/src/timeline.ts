import type { RunLog, StepLog } from "@perdure/core";
import color from "picocolors";

/** Prints what is new in a run's log since it was looked at last. */
export class Timeline {
  readonly #print: (line: string) => void;
  readonly #shown = new Set<string>();
  /** Failed attempts of each step so far. */
  readonly #failures = new Map<string, number>();
  /** When the step before was recorded. */
  #last = 0;

  constructor(print: (line: string) => void) {
    this.#print = print;
  }

  show(run: RunLog): void {
    for (const group of run.steps) {
      if (group.type === "next")
        for (const step of group.steps) this.#failed(run, step.stepName ?? "", step.errors ?? []);
      else this.#finished(run, group.steps);
    }
    for (const { stepName, attempts, state } of run.rollbacks ?? [])
      this.#once(`undo ${stepName}`, run, color.blue("↩"), stepName, attempt(attempts), `rollback ${state}`);
    const { failureFunction } = run;
    if (failureFunction) {
      const { state, failStatus } = failureFunction;
      this.#once(
        `failure function ${state}`,
        run,
        color.yellow("✚"),
        "failure function",
        `for status ${failStatus}`,
        state,
      );
    }
    if (run.workflowState !== "RUN_STARTED") {
      const ms = (run.workflowRunCompletedAt ?? 0) - run.workflowRunCreatedAt;
      const mark = run.workflowState === "RUN_SUCCESS" ? color.green("■") : color.red("■");
      this.#once("end", run, mark, "run", "", `${run.workflowState} after ${duration(ms)}`);
    }
  }

  #finished(run: RunLog, steps: readonly StepLog[]): void {
    const before = Math.max(this.#last, run.workflowRunCreatedAt);
    for (const step of steps) {
      if (step.state !== "STEP_SUCCESS") continue;
      const id = `${step.stepId} ${step.stepName}`;
      const worked = step.durationMs ?? Math.max(0, step.createdAt - before);
      const from = step.startedAt === undefined ? "" : ` from ${since(run, step.startedAt).trim()}`;
      const took = step.stepType === "Run" ? duration(Math.round(worked)) + from : (step.sleepFor ?? "");
      this.#once(
        id,
        run,
        color.green("✓"),
        step.stepName,
        attempt((this.#failures.get(step.stepName) ?? 0) + 1),
        `${step.stepType} ${took}`,
      );
      // A sleep is recorded as it begins.
      const rest = typeof step.sleepFor === "number" ? step.sleepFor * 1000 : 0;
      this.#last = Math.max(this.#last, step.createdAt + rest);
    }
  }

  #failed(
    run: RunLog,
    name: string,
    errors: readonly { error: string; body?: string; status?: number }[],
  ): void {
    errors.forEach(({ error, body, status }, at) => {
      this.#failures.set(name, at + 1);
      this.#once(
        `${name} failed ${at}`,
        run,
        color.red("✗"),
        name,
        attempt(at + 1),
        `${status}: ${reason(body) ?? error}`,
      );
    });
  }

  #once(id: string, run: RunLog, mark: string, name: string, detail: string, state: string): void {
    if (this.#shown.has(id)) return;
    this.#shown.add(id);
    this.#print(
      `${color.dim(since(run, Date.now()))}  ${mark} ${name.padEnd(18)} ${detail.padEnd(15)} ${state}`,
    );
  }
}

/** Seconds from the run's start. */
function since({ workflowRunCreatedAt }: RunLog, time: number): string {
  return `${((time - workflowRunCreatedAt) / 1000).toFixed(2).padStart(6)} s`;
}

function attempt(number: number): string {
  return `attempt ${number}`;
}

function duration(ms: number): string {
  return ms < 1000 ? `${ms} ms` : `${(ms / 1000).toFixed(1)} s`;
}

/** The message of an error as an endpoint answers it. */
export function reason(body: string | undefined): string | undefined {
  try {
    return JSON.parse(body ?? "").message;
  } catch {
    return undefined;
  }
}
