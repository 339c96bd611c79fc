import { describe, expect, it } from "vitest";
import type { Store } from "../../src/commands/store.ts";
import type { StartRun } from "../../src/rules/command.ts";
import { START } from "../harness.ts";
import { append, plain, start, useStore } from "./kit.ts";

export function accepting(name: string, open: () => Promise<Store>): void {
  describe(`${name}, accepting`, () => {
    const kit = useStore(open);

    it("is all or nothing", async () => {
      await kit.accept(start("wfr_1"));
      await expect(kit.accept(plain(), append("wfr_1", 1), append("wfr_none", 1))).rejects.toMatchObject({
        code: "conflict",
      });
      expect((await kit.claim()).claims).toHaveLength(1);
      expect(await kit.store.history("wfr_1")).toHaveLength(1);
    });

    it("one faulty request doesn't touch those stored at the same time", async () => {
      const outcomes = await Promise.allSettled([
        kit.accept(plain()),
        kit.accept(append("wfr_none", 1)),
        kit.accept(plain()),
      ]);
      expect(outcomes.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
      expect((await kit.claim()).claims).toHaveLength(2);
    });

    it("of the same run at the same time makes one", async () => {
      const answers = await Promise.all(Array.from({ length: 5 }, () => kit.accept(start("wfr_1"))));
      const receipts = answers.flat();
      expect(receipts.filter(({ deduplicated }) => !deduplicated)).toHaveLength(1);
      expect(new Set(receipts.map(({ messageId }) => messageId)).size).toBe(1);
      expect((await kit.claim()).claims).toHaveLength(1);
    });

    it("many starts at the same time get their own receipts, in any order of their ids", async () => {
      const ids = Array.from({ length: 150 }, (_, at) => `wfr_${(at * 7919) % 150}`);
      const receipts = await Promise.all(ids.map((id) => kit.accept(start(id))));
      expect(receipts.flat().map(({ run }) => run?.id)).toEqual(ids);
      expect(receipts.flat().filter(({ deduplicated }) => deduplicated)).toEqual([]);
      const { claims } = await kit.claim(START, 200);
      const messages = new Map(claims.map(({ run, message }) => [run?.id, message.id]));
      expect(receipts.flat().map(({ messageId }) => messageId)).toEqual(ids.map((id) => messages.get(id)));
    });

    it("a start that the database refuses doesn't touch those stored at the same time", async () => {
      const broken = start("wfr_broken") as StartRun;
      const commands = [
        start("wfr_1"),
        { ...broken, message: { ...broken.message, createdAt: Number.NaN, notBefore: Number.NaN } },
        start("wfr_2"),
      ];
      const outcomes = await Promise.allSettled(commands.map((one) => kit.accept(one)));
      expect(outcomes.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
      const claimed = (await kit.claim()).claims.map(({ run }) => run?.id);
      expect(claimed.sort()).toEqual(["wfr_1", "wfr_2"]);
    });

    it("of the same record at the same time keeps the first", async () => {
      await kit.accept(start("wfr_1"));
      const answers = await Promise.all(Array.from({ length: 5 }, () => kit.accept(append("wfr_1", 1))));
      expect(
        answers
          .flat()
          .map(({ deduplicated }) => deduplicated)
          .sort(),
      ).toEqual([false, true, true, true, true]);
      expect(await kit.store.history("wfr_1")).toHaveLength(2);
    });

    it("a start that is sent again finds the run that it has made, also when that has ended", async () => {
      const again = start("wfr_1", { "Perdure-Trigger-Id": "t1" });
      const [first] = await kit.accept(again);
      await kit.at(START).endRun("wfr_1", { state: "RUN_SUCCESS", response: undefined });
      expect(await kit.accept(again)).toEqual([{ ...first, deduplicated: true }]);
      expect((await kit.claim()).claims).toHaveLength(0);
      const [other] = await kit.accept(start("wfr_1", { "Perdure-Trigger-Id": "t2" }));
      expect(other).toMatchObject({ deduplicated: false, run: { id: "wfr_1", createdAt: START + 1 } });
    });

    it("another start of a live run is told that there is one", async () => {
      const [first] = await kit.accept(start("wfr_1", { "Perdure-Trigger-Id": "t1" }));
      const [other] = await kit.accept(start("wfr_1", { "Perdure-Trigger-Id": "t2" }));
      expect(other).toEqual({ ...first, deduplicated: true });
    });

    it("of a run whose id was used before is younger than that was", async () => {
      for (const createdAt of [START, START + 1, START + 2]) {
        const [receipt] = await kit.accept(start("wfr_1"));
        expect(receipt?.run).toEqual({ id: "wfr_1", createdAt });
        await kit.at(START).endRun("wfr_1", { state: "RUN_SUCCESS", response: undefined });
      }
    });
  });
}
