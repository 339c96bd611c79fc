import { HEADER } from "@perdure/core/protocol";
import { describe, expect, it } from "vitest";
import { changeMatchingRuns } from "../../src/commands/change-matching-runs.ts";
import type { Store } from "../../src/commands/store.ts";
import type { RunQuery } from "../../src/store/lists.ts";
import { START } from "../harness.ts";
import { append, child, failure, NO_OPTIONS, start, useStore, waitFor } from "./kit.ts";

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

    it("lists their workflows, the latest used first", async () => {
      await kit.accept(start("wfr_a"), start("wfr_b", {}, START + 5));
      await kit.accept(child("wfr_c", "wfr_a"));
      expect(await kit.store.workflowUrls()).toEqual([
        { url: "https://app.test/wf", lastAt: START + 5 },
        { url: "https://app.test/child", lastAt: START },
      ]);
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
      const first = await changeMatchingRuns(kit.store, { count: 1 }, { kind: "cancel" });
      expect(first).toEqual({ changed: 1, next: expect.any(Number) });
      const second = await changeMatchingRuns(
        kit.store,
        { count: 1, before: first.next },
        { kind: "cancel" },
      );
      expect(second).toEqual({ changed: 1, next: undefined });
      const change = { kind: "restart", options: NO_OPTIONS } as const;
      expect(await changeMatchingRuns(kit.store, { count: 10 }, change)).toEqual({
        changed: 1,
        next: undefined,
      });
      expect((await kit.store.countRuns({})).RUN_STARTED).toBe(1);
    });

    it("reads one run, its steps, and what it waits for", async () => {
      await kit.accept(start("wfr_a"), append("wfr_a", 1), append("wfr_a", 2));
      await kit.store.wait(waitFor("wfr_a", "go", "1h", 3));
      const overview = await kit.store.runOverview({ id: "wfr_a" });
      expect(overview).toMatchObject({ steps: 2, children: [], failure: undefined });
      expect(overview?.waitsFor.map(({ kind }) => kind)).toContain("event");
      const first = await kit.store.runSteps({ id: "wfr_a", count: 2 });
      expect(first?.shown).toEqual(["init", "result:1"]);
      const second = await kit.store.runSteps({ id: "wfr_a", count: 2, after: first?.next });
      expect([second?.shown, second?.next, second?.log.waits.size]).toEqual([["result:2"], undefined, 1]);
      const { items } = await kit.store.openWaits({ count: 1, eventIds: ["go"] });
      expect(items).toMatchObject([{ eventId: "go", stepName: "step3", isWebhook: false }]);
      expect((await kit.store.unfinishedMessages({ count: 9, runIds: ["wfr_a"] })).items).toHaveLength(3);
    });

    it("groups dead letters, and counts runs over time", async () => {
      await fill();
      const { items } = await kit.store.deadLetterGroups({ count: 1 });
      expect(items).toMatchObject([{ pattern: "boom", count: 1, firstAt: START, runId: "wfr_a" }]);
      const [group] = items;
      const alike = await kit.store.deadLetters({ count: 9, fingerprints: [group?.fingerprint ?? ""] });
      expect(alike.items).toHaveLength(1);
      const numbers = await kit.store.runNumbers({ from: START, to: START + 120_000, bucket: 60_000 });
      expect(numbers).toMatchObject([{ time: START, started: 3, failed: 1 }, { started: 0 }]);
      expect(await kit.store.currentNumbers()).toMatchObject({ live: 2, deadLetters: 1 });
    });

    it("keeps the audit log for as long as the log", async () => {
      const entry = { actor: "a", action: "DELETE /x", target: "wfr_a", callerIp: "::1" };
      await kit.store.recordAction(entry);
      await kit.store.recordAction({ ...entry, target: "wfr_b" });
      expect((await kit.store.actions({ count: 1 })).items).toEqual([
        { ...entry, target: "wfr_b", at: START },
      ]);
      expect((await kit.store.actions({ count: 9, targets: ["wfr_a"] })).items).toHaveLength(1);
      await kit.store.sweep({ messages: 0, logs: START, dlq: 0, runs: 0, now: START }, 100);
      expect((await kit.store.actions({ count: 9 })).items).toEqual([]);
    });

    it("begins a retry at once", async () => {
      await kit.accept(start("wfr_a"));
      const retry = { kind: "retry", dueAt: START + 9000, failure: failure(START) } as const;
      await kit.settle(await kit.claimOne(), retry);
      expect(await kit.store.retryRunNow("wfr_a")).toBe(1);
      await kit.claimOne();
      await expect(kit.store.retryRunNow("wfr_a")).rejects.toThrow("no attempt");
      await expect(kit.store.wakeSleeps({ id: "wfr_a" })).rejects.toThrow("no step that sleeps");
    });
  });
}
