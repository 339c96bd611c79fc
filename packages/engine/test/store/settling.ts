import { HEADER } from "@perdure/core/protocol";
import { describe, expect, it } from "vitest";
import type { Store } from "../../src/commands/store.ts";
import type { Settlement } from "../../src/rules/settlement.ts";
import type { Receipt } from "../../src/store/receipt.ts";
import { APP, NOT_FOUND, START } from "../harness.ts";
import { append, delivered, failure, plain, reply, start, useStore } from "./kit.ts";

export function settling(name: string, open: () => Promise<Store>): void {
  describe(`${name}, settling`, () => {
    const kit = useStore(open);

    it("a retry makes it due again, with one more on its count", async () => {
      await kit.accept(plain());
      await kit.settle(await kit.claimOne(), { kind: "retry", dueAt: START + 500, failure: failure(START) });
      expect((await kit.claim(START + 499)).claims).toEqual([]);
      expect((await kit.claimOne(START + 500)).message).toMatchObject({ retried: 1 });
    });

    it("a final failure of a run does everything that it means, at once", async () => {
      const [{ messageId }] = (await kit.accept(start("wfr_1", { [HEADER.label]: "l" }))) as [Receipt];
      await kit.accept(append("wfr_1", 1, { [HEADER.delay]: "1d" }));
      const failed = { kind: "failed", failure: failure(START + 5) } as const;
      const settled = await kit.settle(await kit.claimOne(), failed, START + 5);
      expect(settled).toMatchObject({ kind: "failed", dlqId: expect.any(String) });
      expect(await kit.stateOf("wfr_1")).toBe("RUN_FAILED");
      await expect(kit.store.history("wfr_1")).rejects.toMatchObject({ code: "not_found" });
      const { items } = await kit.store.deadLetters({ count: 10, ofRuns: true });
      expect(items).toMatchObject([
        {
          message: { id: messageId, state: "FAILED" },
          run: { id: "wfr_1", state: "RUN_FAILED", completedAt: START + 5 },
          failure: {
            error: "the endpoint answered 500",
            reply: { status: 500, headers: { "x-a": ["1", "2"] } },
          },
          callback: { state: "CALLBACK_INPROGRESS" },
        },
      ]);
      const report = await kit.claimOne(START + 5);
      expect(report.message).toMatchObject({ kind: "failure", url: APP, labels: ["l"], method: "POST" });
      expect(report.run?.id).toBe("wfr_1");
      expect((await kit.claim(START + 1e9)).claims.map(({ message }) => message.kind)).toEqual(["failure"]);
    });

    it("a message that has failed can be looked at for as long as one that was delivered", async () => {
      const [{ messageId }] = (await kit.accept(plain())) as [Receipt];
      await kit.settle(await kit.claimOne(), { kind: "failed", failure: failure(START) });
      const found = await kit.store.message(messageId, START - 1);
      expect(found?.message).toMatchObject({ id: messageId, state: "FAILED" });
      await expect(kit.store.message(messageId, START)).rejects.toMatchObject(NOT_FOUND);
      await kit.store.removeDeadLetters({ count: 10 });
      await expect(kit.store.message(messageId, START - 1)).rejects.toMatchObject(NOT_FOUND);
    });

    it("a delivery that leaves a live run with nothing to do is a failure", async () => {
      await kit.accept(start("wfr_1"));
      expect(await kit.settle(await kit.claimOne(), delivered(START))).toMatchObject({ kind: "failed" });
      expect(await kit.stateOf("wfr_1")).toBe("RUN_FAILED");
    });

    it("a delivery that leaves it something to do isn't", async () => {
      await kit.accept(start("wfr_1"));
      const first = await kit.claimOne();
      await kit.accept(append("wfr_1", 1, { [HEADER.delay]: "1d" }));
      expect(await kit.settle(first, delivered(START))).toEqual({ kind: "recorded" });
      expect(await kit.stateOf("wfr_1")).toBe("RUN_STARTED");
    });

    it("what belonged to a run that has ended changes nothing", async () => {
      await kit.accept(start("wfr_1"));
      const first = await kit.claimOne();
      expect(await kit.at(START).endRun("wfr_1", { state: "RUN_SUCCESS", response: "x" })).toBe("ended");
      expect(await kit.settle(first, { kind: "failed", failure: failure(START) })).toEqual({ kind: "stale" });
      expect(await kit.at(START).endRun("wfr_1", { state: "RUN_CANCELED", response: undefined })).toBe(
        "ended before",
      );
      expect(await kit.stateOf("wfr_1")).toBe("RUN_SUCCESS");
      await expect(
        kit.at(START).endRun("wfr_none", { state: "RUN_SUCCESS", response: undefined }),
      ).rejects.toMatchObject({ code: "not_found" });
    });

    it("the report of a failure keeps its last answer", async () => {
      await kit.accept(start("wfr_1"));
      await kit.settle(await kit.claimOne(), { kind: "failed", failure: failure(START) });
      const retried: Settlement = { kind: "retry", dueAt: START, failure: failure(START) };
      await kit.settle(await kit.claimOne(), retried);
      await kit.settle(await kit.claimOne(), {
        ...delivered(START),
        reply: reply(200, {}, "released"),
      } as Settlement);
      const [letter] = (await kit.store.deadLetters({ count: 1 })).items;
      expect(letter?.callback).toMatchObject({
        state: "CALLBACK_SUCCESS",
        failures: [{ reply: { status: 500 } }],
      });
      expect(new TextDecoder().decode(letter?.callback?.reply?.body)).toBe("released");
      expect((await kit.claim(START + 1e9)).claims).toEqual([]);
    });

    it("what was delivered is kept for a while, and then forgotten", async () => {
      const [{ messageId }] = (await kit.accept(plain())) as [Receipt];
      await kit.settle(await kit.claimOne(), delivered(START));
      expect((await kit.store.message(messageId, START - 1)).message.state).toBe("DELIVERED");
      await expect(kit.store.message(messageId, START)).rejects.toMatchObject(NOT_FOUND);
      await kit.store.sweep({ messages: START, logs: START, dlq: 0, runs: 0, now: START }, 10);
      await expect(kit.store.message(messageId, 0)).rejects.toMatchObject(NOT_FOUND);
    });

    it("what was taken back is given to nobody", async () => {
      const [{ messageId }] = (await kit.accept(plain())) as [Receipt];
      const one = await kit.claimOne();
      await kit.at(START).cancelMessage(messageId);
      await expect(kit.at(START).cancelMessage(messageId)).rejects.toMatchObject(NOT_FOUND);
      expect(await kit.settle(one, delivered(START))).toEqual({ kind: "stale" });
      await kit.store.sweep({ messages: START, logs: START, dlq: 0, runs: 0, now: START }, 10);
      await kit.accept(plain());
      // Its place may be taken by another one now: an old right is worth nothing there.
      const next = await kit.claimOne();
      expect(await kit.settle(one, delivered(START))).toEqual({ kind: "stale" });
      expect(await kit.settle(next, delivered(START))).toEqual({ kind: "recorded" });
    });

    it("a report that is taken back is on record as such", async () => {
      await kit.accept(start("wfr_1"));
      await kit.settle(await kit.claimOne(), { kind: "failed", failure: failure(START) });
      const report = await kit.claimOne();
      await kit.at(START).cancelMessage(report.message.id);
      const { items } = await kit.store.deadLetters({ count: 1, callbackStates: ["CALLBACK_CANCELED"] });
      expect(items[0]?.callback?.state).toBe("CALLBACK_CANCELED");
      expect(await kit.stateOf("wfr_1")).toBe("RUN_FAILED");
    });
  });
}
