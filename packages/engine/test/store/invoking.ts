import { describe, expect, it } from "vitest";
import type { Store } from "../../src/commands/store.ts";
import { START } from "../harness.ts";
import { child, delivered, failure, start, useStore } from "./kit.ts";

const RETURNED = { state: "RUN_SUCCESS", response: "7" } as const;

export function invoking(name: string, open: () => Promise<Store>): void {
  describe(`${name}, invoking`, () => {
    const kit = useStore(open);

    it("records the child's end in the run that waits, at once", async () => {
      await kit.accept(start("wfr_1"), child("wfr_2", "wfr_1"));
      const [first, second] = (await kit.claim()).claims;
      if (!first || !second) throw new TypeError("Not due.");
      expect(await kit.settle(first, delivered(START))).toEqual({ kind: "recorded" });
      await kit.at(START).endRun("wfr_2", RETURNED);
      expect(kit.events("step.recorded")).toMatchObject([
        { runId: "wfr_1", step: "step1", stepType: "Invoke" },
      ]);
      const [record] = await kit.recordsOf("wfr_1");
      expect(JSON.parse(String(record?.out))).toEqual({ body: "7", isFailed: false, isCanceled: false });
      expect((await kit.claimOne()).run?.id).toBe("wfr_1");
    });

    it.each([
      ["failure", { isFailed: true, isCanceled: false }],
      ["cancellation", { isFailed: false, isCanceled: true }],
    ])("records its %s too", async (how, out) => {
      await kit.accept(start("wfr_1"), child("wfr_2", "wfr_1"));
      const second = (await kit.claim()).claims[1];
      if (how === "cancellation") await kit.at(START).cancelRuns({ ids: ["wfr_2"], count: 1 });
      else if (second) await kit.settle(second, { kind: "failed", failure: failure(START) });
      const [record] = await kit.recordsOf("wfr_1");
      expect(JSON.parse(String(record?.out))).toEqual(out);
    });

    it("is once for each step", async () => {
      await kit.accept(start("wfr_1"));
      const both = await Promise.all([
        kit.accept(child("wfr_2", "wfr_1")),
        kit.accept(child("wfr_3", "wfr_1")),
      ]);
      const [id = "", other] = both.flat().map(({ run }) => run?.id);
      expect(other).toBe(id);
      await kit.at(START).endRun(id, RETURNED);
      expect(await kit.accept(child("wfr_4", "wfr_1"))).toMatchObject([{ deduplicated: true, run: { id } }]);
      expect(await kit.stateOf("wfr_4")).toBeUndefined();
      expect(await kit.recordsOf("wfr_1")).toHaveLength(1);
    });

    it("of a run that is alive otherwise, or by one that isn't, is refused", async () => {
      await kit.accept(start("wfr_1"), start("wfr_2"));
      await expect(kit.accept(child("wfr_2", "wfr_1"))).rejects.toMatchObject({ code: "conflict" });
      await expect(kit.accept(child("wfr_3", "wfr_none"))).rejects.toMatchObject({ code: "conflict" });
    });

    it("tells nobody once the run that waited has ended", async () => {
      await kit.accept(start("wfr_1"), child("wfr_2", "wfr_1"));
      await kit.at(START).endRun("wfr_1", RETURNED);
      expect(await kit.at(START).endRun("wfr_2", RETURNED)).toBe("ended");
      expect(kit.events("step.recorded")).toEqual([]);
      expect((await kit.claim(START + 1e9)).claims).toEqual([]);
    });
  });
}
