import { HEADER } from "@perdure/core/protocol";
import { describe, expect, it } from "vitest";
import type { Store } from "../../src/commands/store.ts";
import type { Settlement } from "../../src/rules/settlement.ts";
import type { Receipt } from "../../src/store/receipt.ts";
import { START } from "../harness.ts";
import { call, delivered, failure, reply, start, useStore } from "./kit.ts";

const answered: Settlement = {
  kind: "called",
  end: { at: START, reply: reply(200, { "x-a": ["1"] }, "fine"), failure: undefined },
};

export function calling(name: string, open: () => Promise<Store>): void {
  describe(`${name}, calling`, () => {
    const kit = useStore(open);

    it("gives out a call with what is to be sent, and none of its run's options", async () => {
      await kit.accept(start("wfr_1", { [HEADER.retries]: "7", [HEADER.retryDelay]: "1" }), call("wfr_1"));
      const { message, entries, first } = (await kit.claim()).claims[1] ?? {};
      expect(message).toMatchObject({ kind: "call", maxRetries: 0, retryDelay: undefined });
      expect(entries).toMatchObject([
        { callType: "toCallback", body: Buffer.from("asked").toString("base64") },
      ]);
      expect(first).toBe(false);
    });

    it("records its end and what brings it, at once", async () => {
      await kit.accept(start("wfr_1", { [HEADER.retries]: "7" }), call("wfr_1"));
      const [first, made] = (await kit.claim()).claims;
      if (!first || !made) throw new TypeError("Not due.");
      expect(await kit.settle(first, delivered(START))).toEqual({ kind: "recorded" });
      expect(await kit.settle(made, answered)).toEqual({ kind: "recorded" });
      const brings = await kit.claimOne();
      expect(brings.message).toMatchObject({ kind: "answer", maxRetries: 7 });
      expect(brings.entries).toMatchObject([{ callType: "fromCallback", messageId: brings.message.id }]);
      expect((await kit.store.history("wfr_1"))?.map(({ callType }) => callType)).toEqual([
        "step",
        "toCallback",
        "fromCallback",
      ]);
      expect(await kit.settle(brings, delivered(START))).toMatchObject({ kind: "failed" });
    });

    it("is once for each step, and of a live run", async () => {
      await kit.accept(start("wfr_1"));
      const receipts = (await Promise.all([kit.accept(call("wfr_1")), kit.accept(call("wfr_1"))])).flat();
      expect(receipts.map(({ deduplicated }) => deduplicated).sort()).toEqual([false, true]);
      expect((receipts[1] as Receipt).messageId).toBe(receipts[0]?.messageId);
      await kit.at(START).endRun("wfr_1", { state: "RUN_CANCELED", response: undefined });
      await expect(kit.accept(call("wfr_1"))).rejects.toMatchObject({ code: "conflict" });
      expect((await kit.claim(START + 1e9)).claims).toEqual([]);
    });

    it("that has failed isn't a dead letter", async () => {
      await kit.accept(start("wfr_1"), call("wfr_1"));
      const made = (await kit.claim()).claims[1];
      if (!made) throw new TypeError("Not due.");
      const end = { at: START, reply: undefined, failure: { ...failure(START), reply: undefined } };
      await kit.settle(made, { kind: "called", end });
      expect((await kit.store.deadLetters({ count: 1 })).items).toEqual([]);
      expect(await kit.stateOf("wfr_1")).toBe("RUN_STARTED");
    });
  });
}
