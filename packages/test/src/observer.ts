import type { WorkflowContext as Context, FailureFunction } from "@perdure/core";
import { toErrorBody } from "@perdure/core/protocol";
import { type EndpointDefinition, type Step, type StepHost, WorkflowContext } from "@perdure/core/testing";
import type { Delivery } from "./delivery.ts";
import { letOthersRun } from "./real-time.ts";
import type { RunRecord } from "./run-record.ts";
import type { StepRecord } from "./step-record.ts";

/** The turns for which a delayed step lets everything else go first. */
const DELAY_TURNS = 10;

/** The place of an invocation in its test. */
export interface Observed {
  readonly run: RunRecord;
  readonly delivery: Delivery;
  now(): number;
  /** Called after each change that a test may wait for. */
  changed(): void;
}

/** Replaces a workflow by one whose steps are observed, mocked, and subject to faults. */
export function observeWorkflow(
  workflow: EndpointDefinition["workflow"],
  observed: Observed,
): EndpointDefinition["workflow"] {
  return (context) => workflow(observeContext(context, observed));
}

function observeContext(context: Context, observed: Observed): Context {
  const host = WorkflowContext["~hostOf"](context);
  const invocation = new ObservedInvocation(observed, host);
  return new WorkflowContext(context, invocation);
}

/** Observes the calls of a failure function. */
export function observeFailure(failureFunction: FailureFunction, { run }: Observed): FailureFunction {
  return async (received) => {
    const attempts = (run.failure?.attempts ?? 0) + 1;
    run.failure = { received, attempts, answer: undefined, error: undefined };
    try {
      const answer = await failureFunction(received);
      run.failure = { ...run.failure, answer };
      return answer;
    } catch (error) {
      run.failure = { ...run.failure, error };
      throw error;
    }
  };
}

/** A step with its place among those of its name. */
interface Place {
  readonly step: Step;
  readonly index: number;
  /** Undefined in a rollback, which carries out no step. */
  readonly record: StepRecord | undefined;
}

/** The steps of one invocation. */
class ObservedInvocation implements StepHost {
  readonly #observed: Observed;
  readonly #inner: StepHost;
  readonly #counts = new Map<string, number>();

  constructor(observed: Observed, inner: StepHost) {
    this.#observed = observed;
    this.#inner = inner;
  }

  request<Result>(step: Step<Result>): Promise<Result> {
    const { run, delivery, now } = this.#observed;
    const index = this.#counts.get(step.name) ?? 0;
    this.#counts.set(step.name, index + 1);
    const requested = step.perform ? step : run.mocks.replace(step, index);
    const isOwn = step.perform !== undefined || requested !== step;
    const record = delivery.kind === "resume" ? run.step(step, { index, isOwn, at: now() }) : undefined;
    const place = { step, index, record };
    const perform: Step["perform"] = (host) => this.#perform(place, () => step.perform?.(host));
    const result = this.#inner.request<Result>(
      (isOwn ? { ...requested, perform } : requested) as Step<Result>,
    );
    const end = (state: "done" | "failed") => (value: unknown) => {
      record?.end(state, now() - run.createdAt, value);
      this.#observed.changed();
    };
    result.then(end("done"), end("failed"));
    return result;
  }

  cancel(): Promise<never> {
    return this.#inner.cancel();
  }

  async #perform(
    { step, index, record }: Place,
    work: () => Promise<string | undefined> | undefined,
  ): Promise<string | undefined> {
    const { run, delivery, now, changed } = this.#observed;
    const fault = run.faults.next(step.name, index);
    if (fault === "delay") await letOthersRun(DELAY_TURNS);
    if (delivery.isDead) return delivery.die("");
    record?.begin(now() - run.createdAt);
    let out: string | undefined;
    try {
      out = await (run.mocks.play(step, index, delivery) ?? work());
    } catch (error) {
      record?.attemptFailed(toErrorBody(error, false).message);
      throw error;
    } finally {
      if (fault === "lose-answer") delivery.losesAnswer = true;
      if (fault === "duplicate") delivery.isRepeated = true;
    }
    if (fault === "crash") {
      record?.attemptFailed("the endpoint crashed after the work (a fault of the test)");
      return delivery.die("The endpoint's process died (a fault of the test).");
    }
    if (delivery.isDead) return delivery.die("");
    record?.end("done", now() - run.createdAt, out === undefined ? undefined : JSON.parse(out));
    changed();
    return out;
  }
}
