import { describe, expect, it } from "vitest";
import { isKeyOf, keyOf, type RecordKind, recordKey, stepOfKey } from "../src/protocol/index.ts";

const KINDS: readonly RecordKind[] = ["result", "plan", "call", "answer"];
const RECORD = { stepName: "s", stepType: "Run", concurrent: 1 } as const;

describe("the key of a record", () => {
  it.each(KINDS)("says its kind and its step: %s", (kind) => {
    for (const step of ["3", "msg_1:2"]) {
      const key = keyOf(kind, step);
      expect(KINDS.filter((other) => isKeyOf(other, key))).toEqual([kind]);
      expect(stepOfKey(key)).toBe(step);
    }
  });

  it("is the one that the protocol gives to a step's record", () => {
    expect(recordKey({ ...RECORD, stepId: 3 })).toBe(keyOf("result", 3));
    expect(recordKey({ ...RECORD, stepId: 0, targetStep: 3 })).toBe(keyOf("plan", 3));
  });
});
