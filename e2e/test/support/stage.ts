import type {
  FailureFunctionParams,
  RollbackOptions,
  ServeOptions,
  WorkflowContext,
  WorkflowFunction,
} from "@perdure/core";
import { WorkflowNonRetryableError } from "@perdure/core";
import { afterAll, beforeAll, beforeEach, expect } from "vitest";
import { Lab } from "./lab.ts";

/** Where workflows are played whose steps can be undone. */
interface Stage {
  readonly lab: Lab;
  /** What has happened in a test, in order. */
  diary: string[];
  /** What the failure function was called with last. */
  told: FailureFunctionParams | undefined;
}

let lab: Lab;
export const stage: Stage = {
  get lab() {
    return lab;
  },
  diary: [],
  told: undefined,
};

/** One laboratory for all tests of a file, and a new diary for each. */
export function useStage(): void {
  beforeAll(async () => {
    lab = await Lab.start();
  });
  afterAll(() => lab.stop());
  beforeEach(() => {
    stage.diary = [];
    stage.told = undefined;
  });
}

export const failureFunction = (params: FailureFunctionParams): void => {
  stage.diary.push("failure function");
  stage.told = params;
};

export function undo(name: string, more: Omit<RollbackOptions, "rollback"> = {}): RollbackOptions {
  return { rollback: () => void stage.diary.push(`undo ${name}`), ...more };
}

export function step(context: WorkflowContext, name: string, more: Omit<RollbackOptions, "rollback"> = {}) {
  const work = () => {
    stage.diary.push(name);
    return `${name} done`;
  };
  return context.run(name, work, undo(name, more));
}

export const boom = (): never => {
  stage.diary.push("boom");
  throw new WorkflowNonRetryableError("boom");
};

/** Beside the steps: with every invocation, and when the workflow is only asked for its rollbacks. */
export const halt = (): never => {
  throw new WorkflowNonRetryableError("boom");
};

/** Runs a workflow until nothing of it is left to do. */
export async function perform(
  workflow: WorkflowFunction,
  options: ServeOptions = {},
  trigger: object = {},
): Promise<string> {
  const url = lab.serve(workflow, { failureFunction, ...options });
  const { workflowRunId } = await lab.client.trigger({
    url,
    retries: 1,
    retryDelay: "1000",
    body: { id: "o-1" },
    ...trigger,
  });
  await lab.drain();
  return workflowRunId;
}

export async function resume(runId: string): Promise<string> {
  const { dlqId = "" } = await lab.run(runId);
  const { workflowRuns } = await lab.client.dlq.resume(dlqId);
  await lab.drain();
  return workflowRuns[0]?.workflowRunId ?? "";
}

/** A run whose second step can't be undone for an hour. */
export async function performUntilRollingBack(trigger: object = {}): Promise<string> {
  const url = lab.serve(
    async (context) => {
      await step(context, "a");
      let refused = false;
      await context.run("b", () => 1, {
        rollback: () => {
          stage.diary.push("undo b");
          refused = !stage.diary.includes("open");
          if (refused) throw new Error("not now");
        },
        rollbackRetries: 50,
        rollbackRetryDelay: "1h",
      });
      if (!stage.diary.includes("open")) halt();
      return "done";
    },
    { failureFunction },
  );
  const { workflowRunId } = await lab.client.trigger({ url, retries: 0, ...trigger });
  await lab.idle();
  expect(stage.diary).toEqual(["a", "undo b"]);
  return workflowRunId;
}
