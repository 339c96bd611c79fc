import { HEADER } from "@perdure/core/protocol";
import { describe, expect, it } from "vitest";
import type { Store } from "../../src/commands/store.ts";
import type { RunQuery } from "../../src/store/lists.ts";
import { START } from "../harness.ts";
import { append, failure, NO_OPTIONS, start, useStore } from "./kit.ts";

export function inspecting(name: string, open: () => Promise<Store>): void {
  describe(`${name}, looking at runs`, () => {
    const kit = useStore(open);
    const ids = async (query: Partial<RunQuery> = {}): Promise<string[]> =>
      (await kit.store.runSummaries({ count: 10, ...query })).items.map(({ run }) => run.id);

    const fill = async (): Promise<void> => {
      await kit.accept(
        start("wfr_a", { [HEADER.label]: "x" }),
        start("wfr_ab", { [HEADER.label]: "y", [HEADER.delay]: "1h" }),
        start("wfr_b", { [HEADER.delay]: "1h" }),
      );
      await kit.accept(append("wfr_b", 1), append("wfr_b", 2));
      await kit.settle(await kit.claimOne(), { kind: "failed", failure: failure(START) });
    };

    it("finds them by the beginning of their ids, and by what they don't match", async () => {
      await fill();
      expect(await ids()).toEqual(["wfr_b", "wfr_ab", "wfr_a"]);
      expect(await ids({ idPrefixes: ["wfr_a"] })).toEqual(["wfr_ab", "wfr_a"]);
      expect(await ids({ idPrefixes: ["wfr_A", "wfr_b"] })).toEqual(["wfr_b"]);
      expect(await ids({ without: { idPrefixes: ["wfr_ab"], labels: ["x"] } })).toEqual(["wfr_b"]);
      expect(await ids({ without: { states: ["RUN_STARTED"] } })).toEqual(["wfr_a"]);
      expect(await ids({ without: { urls: ["https://app.test/wf"] } })).toEqual([]);
      expect(await ids({ inDeadLetterQueue: true })).toEqual(["wfr_a"]);
    });

    it("counts their steps, and the runs of each state", async () => {
      await fill();
      const { items } = await kit.store.runSummaries({ count: 10 });
      expect(items.map(({ steps, failure: of }) => [steps, of?.error])).toEqual([
        [2, undefined],
        [0, undefined],
        [0, "the endpoint answered 500"],
      ]);
      expect(await kit.store.countRuns({})).toEqual({
        RUN_STARTED: 2,
        RUN_SUCCESS: 0,
        RUN_FAILED: 1,
        RUN_CANCELED: 0,
      });
      expect((await kit.store.countRuns({ labels: ["x"] })).RUN_FAILED).toBe(1);
    });

    it("changes all that match, a page at a time", async () => {
      await fill();
      const first = await kit.store.changeRuns({ count: 1 }, { kind: "cancel" });
      expect(first).toEqual({ changed: 1, next: expect.any(Number) });
      const second = await kit.store.changeRuns({ count: 1, before: first.next }, { kind: "cancel" });
      expect(second).toEqual({ changed: 1, next: undefined });
      const change = { kind: "restart", options: NO_OPTIONS } as const;
      expect(await kit.store.changeRuns({ count: 10 }, change)).toEqual({ changed: 1, next: undefined });
      expect((await kit.store.countRuns({})).RUN_STARTED).toBe(1);
    });
  });
}
