import {
  type CancelFunctionParams,
  type FailureFunctionParams,
  type RollbackParams,
  type RunLog,
  type WorkflowContext,
  WorkflowNonRetryableError,
} from "@perdure/core";
import fc from "fast-check";
import { expect } from "vitest";

/** A step; how often an attempt to undo it fails, of how many. */
export interface Step {
  readonly turns: number;
  readonly rollback: { readonly failures: number; readonly retries: number } | undefined;
}

export interface Plan {
  readonly items: readonly (
    | Step
    | { readonly sleep: number }
    | { readonly branches: readonly (readonly Step[])[] }
  )[];
  /** The step that fails as long as the cause isn't gone; past the last one: the workflow itself. */
  readonly broken: number;
  /** It isn't tried again. */
  readonly final: boolean;
  readonly rollbackOnCancel: boolean;
  readonly elsewhere: boolean;
}

const step: fc.Arbitrary<Step> = fc.record({
  turns: fc.constantFrom(0, 1, 5, 200),
  rollback: fc.option(fc.record({ failures: fc.constantFrom(0, 0, 0, 1, 2, 99), retries: fc.nat(2) }), {
    nil: undefined,
    freq: 3,
  }),
});
export const plans: fc.Arbitrary<Plan> = fc.record({
  items: fc.array(
    fc.oneof(
      { weight: 5, arbitrary: step },
      { weight: 1, arbitrary: fc.record({ sleep: fc.integer({ min: 1, max: 5000 }) }) },
      {
        weight: 2,
        arbitrary: fc.record({
          branches: fc.array(fc.array(step, { minLength: 1, maxLength: 2 }), { minLength: 2, maxLength: 3 }),
        }),
      },
    ),
    { minLength: 1, maxLength: 5 },
  ),
  broken: fc.nat(9),
  final: fc.boolean(),
  rollbackOnCancel: fc.boolean(),
  elsewhere: fc.boolean(),
});

/** In which order a run's states follow each other; none comes back. */
const STATES = [
  "running",
  "rolling back",
  "failure function",
  "in the queue",
  "taken up again",
  "over",
] as const;
export type State = (typeof STATES)[number];

/** One run, as the user's code has seen it, and as the engine has shown it last. */
interface Seen {
  state: State;
  /** Steps whose effect stands: the first run's, and what those that go on from it make of it. */
  readonly effects: Set<string>;
  readonly begun: Set<string>;
  /** Those that must not run, because their result was kept. */
  readonly kept: ReadonlySet<string>;
  /** Ids of steps whose rollback is on record as done. */
  readonly undone: Set<number>;
  /** The last rollback that was begun since they were asked for. */
  last: number;
  rollingBack: boolean;
  told: number;
  /** Another one goes on from it. */
  left: boolean;
}

/** What has happened to the runs of one plan, and whether it may have. */
export class Observer {
  mended = false;
  rollbacksMended = false;
  readonly runs: Map<string, Seen> = new Map();
  /** What has happened inside of the workflow and mustn't have: what is thrown there is the workflow's own. */
  readonly #violations: string[] = [];
  readonly #plan: Plan;
  /** Of engines: what one that has died was doing, nobody knows any more. */
  #life = 0;
  readonly #executing = new Map<string, number>();

  constructor(plan: Plan) {
    this.#plan = plan;
  }

  begin(id: string, effects: Set<string> = new Set(), kept: ReadonlySet<string> = new Set()): void {
    this.runs.set(id, {
      state: "running",
      effects,
      kept,
      begun: new Set(),
      undone: new Set(),
      last: Number.POSITIVE_INFINITY,
      rollingBack: false,
      told: 0,
      left: false,
    });
  }

  /** A run is taken up again. */
  leave(id: string): void {
    expect(this.#busy(`${id} undo`), "no run is taken up again while it is rolled back").toBe(false);
    this.seen(id).left = true;
  }

  /** A run goes on where another one has failed. */
  goOn(from: string, to: string, log: RunLog): void {
    const old = this.seen(from);
    for (const { stepId, state } of log.rollbacks ?? []) if (state === "done") old.undone.add(stepId);
    const finished = log.steps.flatMap((group) =>
      group.type === "next" ? [] : group.steps.filter(({ state }) => state === "STEP_SUCCESS"),
    );
    const kept = finished.filter(({ stepId = 0 }) => !old.undone.has(stepId)).map(({ stepName }) => stepName);
    this.begin(to, old.effects, new Set(kept));
  }

  died(): void {
    this.#life++;
    this.#executing.clear();
  }

  seen(id: string): Seen {
    const run = this.runs.get(id);
    if (!run) throw new Error(`There is no run ${id}.`);
    return run;
  }

  workflow = async (context: WorkflowContext): Promise<string> => {
    let at = 0;
    for (const [place, item] of this.#plan.items.entries()) {
      if ("sleep" in item) await context.sleep(`sleep ${place}`, item.sleep);
      else if ("branches" in item) {
        const first = at;
        at += item.branches.flat().length;
        let next = first;
        const branches = item.branches.map((steps) => steps.map((one) => ({ one, index: next++ })));
        await Promise.all(
          branches.map(async (steps) => {
            for (const { one, index } of steps) await this.#step(context, one, index);
          }),
        );
      } else await this.#step(context, item, at++);
    }
    if (this.#plan.broken >= at && !this.mended) throw this.#error();
    return "done";
  };

  #step(context: WorkflowContext, { turns, rollback }: Step, index: number): Promise<string> {
    const name = `step ${index}`;
    const id = context.workflowRunId;
    const work = async (): Promise<string> => {
      const run = this.seen(id);
      this.#check(!run.kept.has(name), "nothing is run again that was kept");
      const life = this.#life;
      run.begun.add(name);
      run.effects.add(name);
      this.#execute(`${id} ${name}`, 1);
      for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve));
      if (life === this.#life) this.#execute(`${id} ${name}`, -1);
      if (index === this.#plan.broken && !this.mended) throw this.#error();
      return name;
    };
    if (!rollback) return context.run(name, work);
    const { failures, retries } = rollback;
    return context.run(name, work, {
      rollbackRetries: retries,
      rollbackRetryDelay: 7,
      rollback: async (params) => {
        this.#undo(id, params);
        const life = this.#life;
        this.#execute(`${id} undo`, 1);
        await new Promise((resolve) => setImmediate(resolve));
        if (life === this.#life) this.#execute(`${id} undo`, -1);
        if (params.attempt <= failures && !this.rollbacksMended) throw new Error("stuck");
        this.seen(id).effects.delete(name);
      },
    });
  }

  #error(): Error {
    return this.#plan.final ? new WorkflowNonRetryableError("broken") : new Error("broken");
  }

  #execute(what: string, change: number): void {
    this.#executing.set(what, (this.#executing.get(what) ?? 0) + change);
  }

  #check(holds: boolean, rule: string): void {
    if (!holds) this.#violations.push(rule);
  }

  #busy(what: string): boolean {
    return (this.#executing.get(what) ?? 0) > 0;
  }

  #undo(id: string, { step, attempt }: RollbackParams): void {
    const run = this.seen(id);
    const begun = run.begun.has(step.name) || run.kept.has(step.name);
    this.#check(begun, "only what was begun is rolled back");
    this.#check(!this.#busy(`${id} ${step.name}`), "and not while it is being done");
    this.#check(!run.left, "nor after its run was taken up again");
    this.#check(!run.undone.has(step.id), "nothing is rolled back again once that is on record");
    this.#check(run.told === 0 || run.rollingBack, "the failure function comes after all rollbacks");
    if (attempt === 1) {
      this.#check(step.id <= run.last, "what was started last is rolled back first");
      run.last = step.id;
    }
  }

  failureFunction = ({ context, rollbacks }: FailureFunctionParams): string => {
    const run = this.seen(context.workflowRunId);
    run.told++;
    for (const { step, state } of rollbacks) {
      if (state === "done") this.#check(!run.effects.has(step.name), "what was rolled back has no effect");
    }
    return "noted";
  };

  cancelFunction = ({ context }: CancelFunctionParams): void => {
    this.seen(context.workflowRunId).told++;
  };

  /** Failed rollbacks are made again, alone. */
  repeat(id: string): void {
    const run = this.seen(id);
    run.last = Number.POSITIVE_INFINITY;
    run.rollingBack = true;
  }

  /** Compares a run with what the engine shows of it now. */
  look(id: string, log: RunLog): State {
    expect(this.#violations).toEqual([]);
    const run = this.seen(id);
    const next = this.#stateOf(log, run);
    const order = STATES.indexOf(next) - STATES.indexOf(run.state);
    expect(order, `after "${run.state}" comes no "${next}"`).toBeGreaterThanOrEqual(0);
    run.state = next;
    const done = (log.rollbacks ?? []).filter(({ state }) => state === "done").map(({ stepId }) => stepId);
    for (const undone of run.undone) expect(done, "what is on record stays").toContain(undone);
    for (const stepId of done) run.undone.add(stepId);
    return next;
  }

  #stateOf(log: RunLog, { told }: Seen): State {
    if (log.workflowState === "RUN_STARTED") return "running";
    if (log.workflowState !== "RUN_FAILED") return "over";
    if (log.failureFunction?.state === "CALLBACK_INPROGRESS")
      return told === 0 ? "rolling back" : "failure function";
    return log.dlqId === undefined ? "taken up again" : "in the queue";
  }
}
