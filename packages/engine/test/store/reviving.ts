import { describe, expect, it } from "vitest";
import type { Store } from "../../src/commands/store.ts";
import { START } from "../harness.ts";
import { append, delivered, failure, NO_OPTIONS, plain, start, useStore, waitFor } from "./kit.ts";

export function reviving(name: string, open: () => Promise<Store>): void {
  describe(`${name}, reviving`, () => {
    const kit = useStore(open);
    const failRun = async (id: string): Promise<void> => {
      await kit.accept(start(id), append(id, 1));
      const [first, second] = (await kit.claim()).claims;
      if (!first || !second) throw new TypeError("Not due.");
      await kit.settle(first, delivered(START));
      await kit.settle(second, { kind: "failed", failure: failure(START) });
      await kit.settle(await kit.claimOne(), delivered(START));
    };
    const revive = (kind: "resume" | "restart", count = 10) =>
      kit.at(START).resumeRuns({ count }, { kind, options: NO_OPTIONS });

    it("goes on from what is recorded, or from the start", async () => {
      await failRun("wfr_1");
      const [resumed] = (await revive("resume")).runs;
      const again = await kit.claimOne();
      expect(again.run?.id).toBe(resumed?.id);
      expect(again.entries).toHaveLength(2);
      expect(again.entries.at(-1)?.messageId).toBe(again.message.id);
      expect(await kit.store.history(resumed?.id ?? "")).toEqual(again.entries);
      await kit.settle(again, { kind: "failed", failure: failure(START) });
      await kit.settle(await kit.claimOne(), delivered(START));
      const [restarted] = (await revive("restart")).runs;
      const anew = await kit.claimOne();
      expect(anew).toMatchObject({ first: true, run: { id: restarted?.id } });
      expect((await kit.claim(START + 1e9)).claims).toHaveLength(1);
    });

    it("is once for each entry, whoever asks at the same time, and page by page", async () => {
      for (const id of ["wfr_1", "wfr_2", "wfr_3"]) await failRun(id);
      const [one, two] = await Promise.all([revive("resume", 2), revive("resume")]);
      expect(one.runs.length + two.runs.length).toBe(3);
      expect(one.runs.length).toBeLessThanOrEqual(2);
      expect([one.next === undefined, two.next]).toEqual([false, undefined]);
      expect((await revive("resume")).runs).toEqual([]);
      expect((await kit.store.deadLetters({ count: 10 })).items).toEqual([]);
    });

    it("has a wait asked for again that was dropped", async () => {
      await kit.accept(start("wfr_1"));
      const first = await kit.claimOne();
      await kit.at(START).wait(waitFor("wfr_1", "e"));
      await kit.settle(first, { kind: "failed", failure: failure(START) });
      await kit.settle(await kit.claimOne(), delivered(START));
      const [run] = (await revive("resume")).runs;
      expect(await kit.store.waiters("e")).toEqual([]);
      expect(await kit.claimOne()).toMatchObject({ first: true, run: { id: run?.id } });
    });

    it("of entries that were removed isn't possible, and their runs still tell of them", async () => {
      await failRun("wfr_1");
      await kit.accept(plain());
      await kit.settle(await kit.claimOne(), { kind: "failed", failure: failure(START) });
      expect(await kit.store.removeDeadLetters({ count: 1, ofRuns: true })).toEqual({
        removed: 1,
        next: undefined,
      });
      expect(await kit.store.removeDeadLetters({ count: 10 })).toEqual({ removed: 1, next: undefined });
      expect((await revive("resume")).runs).toEqual([]);
      const [log] = (await kit.store.runs({ count: 1 })).items;
      expect(log?.failure).toMatchObject({ removed: true, callback: { state: "CALLBACK_SUCCESS" } });
    });

    it("repeats a report only when it has failed", async () => {
      await kit.accept(start("wfr_1"));
      await kit.settle(await kit.claimOne(), { kind: "failed", failure: failure(START) });
      const [letter] = (await kit.store.deadLetters({ count: 1 })).items;
      const dlqId = letter?.dlqId ?? "";
      await expect(kit.at(START).repeatReport(dlqId)).rejects.toMatchObject({ code: "conflict" });
      const report = await kit.claimOne();
      await kit.settle(report, { kind: "failed", failure: failure(START) });
      expect((await kit.at(START).repeatReport(dlqId))?.id).toBe("wfr_1");
      await expect(kit.at(START).repeatReport(dlqId)).rejects.toMatchObject({ code: "conflict" });
      const again = await kit.claimOne();
      expect(again.message).toMatchObject({ kind: "failure", retried: 0, body: report.message.body });
    });
  });
}
