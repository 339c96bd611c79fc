import type { StepRecord } from "@perdure/core/protocol";
import { expect, it } from "vitest";
import { StepGroups } from "../../src/rules/step-groups.ts";
import { result } from "../harness.ts";

const plan = (id: number, concurrent = 1): StepRecord =>
  result(0, { targetStep: id, concurrent, stepName: `step${id}` });
const ran = (id: number, startedAt: number, durationMs: number, parallel?: true): StepRecord =>
  result(id, { startedAt, durationMs, ...(parallel ? { parallel } : {}) });

/** The groups of the results of a history, by the ids of their steps. */
function groupsOf(...history: StepRecord[]): Record<number, number | undefined> {
  const groups = new StepGroups();
  const found = history.map((record, at) => [record.stepId, groups.next(record, at + 2)] as const);
  return Object.fromEntries(found.filter(([id]) => id > 0));
}

it("a step that ran alone is in no group", () => {
  expect(groupsOf(ran(1, 5, 0), ran(2, 5, 0), plan(3), result(3), plan(4), result(4))).toEqual({
    1: undefined,
    2: undefined,
    3: undefined,
    4: undefined,
  });
});

it("planned members of a group are known by their plans, whatever comes between them", () => {
  expect(
    groupsOf(plan(1, 2), plan(2, 2), result(2, { concurrent: 2 }), result(1, { concurrent: 2 })),
  ).toEqual({
    1: 2,
    2: 2,
  });
});

it("inline steps whose times overlap are one group, and groups that follow each other are two", () => {
  expect(
    groupsOf(
      ran(1, 0, 10, true),
      ran(2, 0, 20, true),
      ran(3, 21, 5, true),
      ran(4, 21, 9, true),
      ran(5, 40, 1),
    ),
  ).toEqual({ 1: 2, 2: 2, 3: 4, 4: 4, 5: undefined });
});

it("steps too quick for the clock are one group", () => {
  expect(groupsOf(ran(1, 7, 0, true), ran(2, 7, 0, true))).toEqual({ 1: 2, 2: 2 });
});

it("what runs while the engine waits is beside the wait", () => {
  expect(groupsOf(plan(1), ran(2, 3, 4, true), ran(3, 9, 4, true), result(1), ran(4, 20, 1))).toEqual({
    1: 2,
    2: 2,
    3: 2,
    4: undefined,
  });
});

it("two groups of waits in a row are two groups", () => {
  expect(groupsOf(plan(1), plan(2), result(1), result(2), plan(3), plan(4), result(4), result(3))).toEqual({
    1: 2,
    2: 2,
    3: 6,
    4: 6,
  });
});
