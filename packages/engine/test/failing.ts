import { HEADER, type StepRecord } from "@perdure/core/protocol";
import { expect } from "vitest";
import {
  APP,
  type Call,
  type Endpoint,
  failed,
  historyOf,
  isFailure,
  ok,
  sequence,
  type World,
} from "./harness.ts";
import { isAnswer, recordsOf } from "./steps.ts";

export const ONCE = { [HEADER.retries]: "0" };

/** Fails until it is told not to. */
export function fragile(good: Endpoint, at: (call: Call) => boolean) {
  const state: { broken: boolean; readonly endpoint: Endpoint } = {
    broken: true,
    endpoint: (call, self) => {
      if (isFailure(call)) return ok("{}");
      return state.broken && at(call) ? failed(500, "boom") : good(call, self);
    },
  };
  return state;
}

export const afterSteps = (count: number) => (call: Call) =>
  !isAnswer(call) && call.url === APP && recordsOf(call).length === count;

export async function revive(
  w: World,
  kind = "resume",
  headers: Record<string, string> = {},
): Promise<string> {
  const [letter] = await w.deadLetters("?source=workflow");
  const { status, body } = await w.ask("POST", `/v2/workflows/dlq/${kind}?dlqIds=${letter.dlqId}`, {
    headers,
  });
  expect(status).toBe(200);
  expect(body).toEqual({
    workflowRuns: [{ workflowRunId: expect.stringMatching(/^wfr_/), workflowCreatedAt: expect.any(Number) }],
    cursor: "",
  });
  return body.workflowRuns[0].workflowRunId;
}

export const plan = (target: number, stepType: StepRecord["stepType"] = "Run"): StepRecord => ({
  stepId: 0,
  stepName: `step${target}`,
  stepType,
  concurrent: 2,
  targetStep: target,
});

/** What forbids another attempt. */
export const NOT_AGAIN = { [HEADER.nonRetryable]: "true" };

/** A workflow whose second delivery always fails with `answer`. */
export const failing = (
  answer: () => Response,
  onFailure: Endpoint = () => ok('{"result":"released"}'),
): Endpoint => {
  const good = sequence(2, onFailure);
  return (call, self) => (isFailure(call) || historyOf(call).length === 1 ? good(call, self) : answer());
};
