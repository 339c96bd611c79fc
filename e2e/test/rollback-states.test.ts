import type { RunLog } from "@perdure/core";
import type { FailureBody } from "@perdure/core/protocol";
import { MODE, ON_POSTGRES } from "@perdure/test-support/mode";
import { sampled } from "@perdure/test-support/sample";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Lab, until } from "./support/lab.ts";
import { Observer, type Plan, plans } from "./support/rollback-model.ts";

type Command =
  | { readonly do: "pass"; readonly steps: number }
  /** In the middle of what comes next. */
  | { readonly do: "crash"; readonly turns: number }
  | {
      readonly do: "mend" | "mend rollbacks" | "resume" | "restart" | "retry rollbacks" | "cancel" | "drain";
    };

const commands: fc.Arbitrary<Command[]> = fc.array(
  fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({ do: fc.constant("pass" as const), steps: fc.integer({ min: 1, max: 6 }) }),
    },
    { weight: 3, arbitrary: fc.record({ do: fc.constant("crash" as const), turns: fc.nat(40) }) },
    {
      weight: 8,
      arbitrary: fc.record({
        do: fc.constantFrom(
          ...(["mend", "mend rollbacks", "resume", "resume", "resume", "restart"] as const),
          ...(["retry rollbacks", "retry rollbacks", "cancel", "drain", "drain", "drain"] as const),
        ),
      }),
    },
  ),
  { minLength: 2, maxLength: 14 },
);

/** One workflow, and the run of it that is looked after: the last one. */
class Session {
  readonly observer: Observer;
  readonly #lab: Lab;
  #current = "";
  /** An engine that dies before it has had an answer to a run that was cancelled doesn't know what its endpoint wants. */
  #unheard = false;

  constructor(lab: Lab, plan: Plan) {
    this.#lab = lab;
    this.observer = new Observer(plan);
  }

  async start({ rollbackOnCancel, elsewhere }: Plan): Promise<void> {
    const { workflow, failureFunction, cancelFunction } = this.observer;
    const handler = this.#lab.handlerOf(workflow, { failureFunction, cancelFunction, rollbackOnCancel });
    const url = this.#lab.at("/wf", async (request) => {
      // The engine may be faster than the answer that tells us which run it is.
      await until(() => this.observer.runs.has(request.headers.get("Upstash-Workflow-RunId") ?? ""));
      return handler(request);
    });
    const failureUrl = this.#lab.at("/elsewhere", async (request) => {
      const { perdure } = (await request.json()) as FailureBody;
      // It is told at once where the workflow isn't heard, and once more when the rollbacks have ended.
      if (!perdure?.rollbacksPending)
        this.observer.seen(request.headers.get("Upstash-Workflow-RunId") ?? "").told++;
      return new Response("noted");
    });
    const trigger = { url, retries: 1, retryDelay: "1000", ...(elsewhere ? { failureUrl } : {}) };
    const workflowRunId = `wfr_${crypto.randomUUID()}`;
    this.observer.begin(workflowRunId);
    this.#current = workflowRunId;
    await this.#lab.client.trigger({ ...trigger, workflowRunId: workflowRunId.slice(4) });
  }

  async look(): Promise<RunLog> {
    for (const id of this.observer.runs.keys()) this.observer.look(id, await this.#lab.run(id));
    return this.#lab.run(this.#current);
  }

  async perform(command: Command): Promise<void> {
    const { observer } = this;
    const log = await this.look();
    switch (command.do) {
      case "pass":
        for (let step = 0; step < command.steps; step++) {
          this.#lab.clock.advanceToNext();
          await this.#lab.idle();
          await this.look();
        }
        break;
      case "crash":
        this.#lab.clock.advanceToNext();
        for (let turn = 0; turn < command.turns; turn++)
          await new Promise((resolve) => setImmediate(resolve));
        this.#unheard ||= log.workflowState === "RUN_CANCELED";
        observer.died();
        await this.#lab.crash();
        break;
      case "drain":
        await this.#lab.drain();
        break;
      case "mend":
        observer.mended = true;
        break;
      case "mend rollbacks":
        observer.rollbacksMended = true;
        break;
      case "resume":
      case "restart":
        await this.#revive(command.do, log);
        break;
      case "retry rollbacks":
        await this.#repeat(log);
        break;
      case "cancel":
        await this.#lab.client.cancel(this.#current);
        break;
      default:
        command satisfies never;
    }
    await this.look();
  }

  async #revive(how: "resume" | "restart", log: RunLog): Promise<void> {
    const { observer } = this;
    const { state, rollingBack } = observer.seen(this.#current);
    const { workflowRuns } = log.dlqId ? await this.#lab.client.dlq[how](log.dlqId) : { workflowRuns: [] };
    const [run] = workflowRuns;
    if (state === "in the queue" && !rollingBack)
      expect(run, "and one that waits in the queue is").toBeDefined();
    if (!run) return;
    observer.leave(this.#current);
    if (how === "resume") observer.goOn(this.#current, run.workflowRunId, await this.#lab.run(this.#current));
    else observer.begin(run.workflowRunId);
    this.#current = run.workflowRunId;
  }

  async #repeat(log: RunLog): Promise<void> {
    const run = this.observer.seen(this.#current);
    const failed = log.rollbacks?.some(({ state }) => state === "failed");
    if (!log.dlqId || run.state !== "in the queue") return;
    const before = { last: run.last, rollingBack: run.rollingBack };
    this.observer.repeat(this.#current);
    const asked = await this.#lab.client.dlq.retryRollbacks({ dlqId: log.dlqId }).then(
      () => true,
      () => false,
    );
    if (!asked) Object.assign(run, before);
    if (!before.rollingBack) expect(asked, "what failed, and only that, is made again").toBe(failed ?? false);
  }

  /** Whatever has come about: with the cause gone, it ends well. */
  async finish(plan: Plan): Promise<void> {
    const { observer } = this;
    await this.#lab.drain();
    let log = await this.look();
    for (const [id, { state, told }] of observer.runs) {
      const { workflowState } = await this.#lab.run(id);
      expect(["in the queue", "taken up again", "over"], id).toContain(state);
      if (workflowState === "RUN_FAILED") expect(told, "every failure is told").toBeGreaterThan(0);
    }
    this.#expectUndone(plan, log);
    observer.mended = true;
    observer.rollbacksMended = true;
    if (log.workflowState !== "RUN_FAILED") return;
    await this.#revive("resume", log);
    await this.#lab.drain();
    log = await this.look();
    expect(log).toMatchObject({ workflowState: "RUN_SUCCESS", workflowRunResponse: '"done"' });
    const count = steps(plan).length;
    expect(observer.seen(this.#current).effects.size, "every step has had its effect").toBe(count);
  }

  /** Of a run that has ended badly, nothing stands that has a rollback, unless it is on record as failed. */
  #expectUndone(plan: Plan, log: RunLog): void {
    const asked =
      log.workflowState === "RUN_FAILED" ||
      (log.workflowState === "RUN_CANCELED" && plan.rollbackOnCancel && !this.#unheard);
    if (!asked) return;
    const { effects } = this.observer.seen(this.#current);
    const failed = new Set(
      (log.rollbacks ?? []).filter(({ state }) => state === "failed").map(({ stepName }) => stepName),
    );
    for (const [index, { rollback }] of steps(plan).entries())
      if (rollback && !failed.has(`step ${index}`))
        expect(effects.has(`step ${index}`), `step ${index} is rolled back`).toBe(false);
  }
}

function steps({ items }: Plan) {
  return items.flatMap((item) => ("sleep" in item ? [] : "branches" in item ? item.branches.flat() : [item]));
}

/** Milliseconds. It computes all the time, and may have a small part of a busy machine. */
const TIMEOUT = 600_000;

/** Always the same runs, so that a change is at fault where one of them fails. */
const SEEDS = process.env.SEED ? [Number(process.env.SEED)] : [6, 7, 8, 9, 10];
/** The runs of a seed. */
const RUNS = Number(process.env.RUNS ?? (MODE === "inline" && !ON_POSTGRES ? 8 : 3));

describe("a run that fails", () => {
  it.each(sampled(SEEDS, 5))(
    "is rolled back, told of, kept in the queue and taken up again, in this order, whatever happens meanwhile: SEED=%d",
    async (seed) => {
      await fc.assert(
        fc.asyncProperty(plans, commands, async (plan, asked) => {
          const lab = await Lab.start();
          try {
            const session = new Session(lab, plan);
            await session.start(plan);
            for (const command of asked) await session.perform(command);
            await session.finish(plan);
          } finally {
            await lab.stop();
          }
        }),
        { numRuns: RUNS, seed },
      );
    },
    TIMEOUT,
  );
});
