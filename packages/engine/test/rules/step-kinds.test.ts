import type { StepRecord, StepType } from "@perdure/core/protocol";
import { describe, expect, it } from "vitest";
import { fieldsOf, kindOf, STEP_KINDS } from "../../src/rules/step-kinds.ts";

const record = (stepType: string): StepRecord => ({
  stepId: 1,
  stepName: "s",
  stepType: stepType as StepType,
  concurrent: 1,
  sleepFor: "1s",
  sleepUntil: 1,
  waitEventId: "e",
  waitTimeout: true,
});

describe("the kinds of step", () => {
  it.each([
    ["SleepFor", { sleepFor: "1s" }],
    ["SleepUntil", { sleepUntil: 1 }],
    ["Wait", { waitEventId: "e", waitTimeout: true }],
    ["WaitForWebhook", { waitEventId: "e", waitTimeout: true }],
    ["Run", {}],
    ["Later", {}],
    ["constructor", {}],
  ])("%s: the log shows the fields of its own", (type, fields) => {
    expect(fieldsOf(record(type))).toEqual(fields);
  });

  it("are recorded by the engine where they are pending outside of deliveries", () => {
    for (const [type, { recordedBy, pendingIn }] of Object.entries(STEP_KINDS)) {
      const outside = pendingIn === "wait" || pendingIn === "child";
      expect([type, recordedBy === "engine"]).toEqual([type, outside]);
    }
  });

  it("of a newer client are taken for work of the endpoint", () => {
    expect(kindOf("Later")).toMatchObject({ recordedBy: "endpoint", pendingIn: "delivery" });
  });
});
