import { HEADER, type RollbackRecord } from "@perdure/core/protocol";
import { beforeEach, describe, expect, it } from "vitest";
import type { Store } from "../../src/commands/store.ts";
import type { Settlement } from "../../src/rules/settlement.ts";
import type { Claim } from "../../src/store/claims.ts";
import { APP, START } from "../harness.ts";
import { append, delivered, failure, LEASE, NO_OPTIONS, planned, reply, start, useStore } from "./kit.ts";

const ELSEWHERE = "https://elsewhere.test/";
const RUN = "wfr_1";

const record = (stepId: number, state: RollbackRecord["state"] = "done"): RollbackRecord => ({
  stepId,
  stepName: `step${stepId}`,
  stepType: "Run",
  state,
  attempts: 1,
});
const rolledBack = (stepId: number, state?: RollbackRecord["state"]): Settlement => ({
  kind: "rolledBack",
  record: record(stepId, state),
});
const failed = (at = START): Settlement => ({ kind: "failed", failure: failure(at) });

export function rollingBack(name: string, open: () => Promise<Store>): void {
  describe(`${name}, rolling back`, () => {
    const kit = useStore(open);
    const kinds = async (now = START): Promise<string[]> =>
      (await kit.claim(now)).claims.map(({ message }) => message.kind);
    const dlqId = async (): Promise<string> =>
      (await kit.store.deadLetters({ count: 1 })).items[0]?.dlqId ?? "";
    const revive = (now = START) =>
      kit.at(now).resumeRuns({ count: 10 }, { kind: "resume", options: NO_OPTIONS });

    /** A run whose step 1 is on record, and fails in the next one. @returns the claim of its report, if it is due */
    const fail = async (headers: Record<string, string> = {}): Promise<Claim> => {
      await kit.accept(start(RUN, headers));
      const first = await kit.claimOne();
      await kit.accept(append(RUN, 1));
      await kit.settle(first, { ...delivered(START), capabilities: "1" });
      await kit.settle(await kit.claimOne(), failed());
      return kit.claimOne();
    };

    describe("one after the other", () => {
      it("the report is due again at once, as if not tried, and knows what is on record", async () => {
        let report = await fail();
        const { id } = report.message;
        expect(report).toMatchObject({ message: { kind: "failure" }, ended: { rollbacks: [] } });
        await kit.settle(report, { kind: "retry", dueAt: START + 5, failure: failure(START) });
        report = await kit.claimOne(START + 5);
        expect(report.message.retried).toBe(1);
        expect(await kit.settle(report, rolledBack(2), START + 6)).toEqual({ kind: "recorded" });
        expect(kit.due.at(-1)).toBe(START + 6);
        report = await kit.claimOne(START + 6);
        expect(report).toMatchObject({
          message: { id, retried: 0 },
          ended: { rollbacks: [record(2)] },
        });
        await kit.settle(report, rolledBack(1, "failed"), START + 6);
        report = await kit.claimOne(START + 6);
        expect(report.ended?.rollbacks).toEqual([record(2), record(1, "failed")]);
        await kit.settle(report, delivered(START + 6), START + 6);
        expect((await kit.claim(START + 1e9)).claims).toEqual([]);
        const [letter] = (await kit.store.deadLetters({ count: 1 })).items;
        expect(letter?.rollbacks).toEqual([
          { ...record(2), time: START + 6 },
          { ...record(1, "failed"), time: START + 6 },
        ]);
        expect((await kit.store.runs({ count: 1 })).items[0]?.rollbacks).toEqual(letter?.rollbacks);
      });

      it("what somebody says who has lost the lease isn't recorded", async () => {
        const report = await fail();
        const again = await kit.claimOne(START + LEASE);
        expect(await kit.settle(report, rolledBack(1), START + LEASE)).toEqual({ kind: "stale" });
        expect(await kit.settle(again, rolledBack(1), START + LEASE)).toEqual({ kind: "recorded" });
      });
    });

    describe("the report says what was begun", () => {
      const answered = (headers: Record<string, string[]>): Settlement => ({
        kind: "failed",
        failure: { ...failure(START), reply: reply(500, headers) },
      });
      const ours = { [HEADER.sdkVersion.toLowerCase()]: ["1"] };
      const inStep = { ...ours, [HEADER.errorStepName.toLowerCase()]: ["s"] };

      it.each<[string, Settlement, boolean]>([
        ["an answer that isn't a workflow's", answered({}), true],
        ["no answer", { kind: "failed", failure: { ...failure(START), reply: undefined } }, true],
        ["a workflow's answer that names no step", answered(ours), false],
        ["one that names the step", answered(inStep), false],
      ])("%s", async (_name, settlement, begun) => {
        await kit.accept(start(RUN));
        await kit.settle(await kit.claimOne(), settlement);
        expect((await kit.claimOne()).ended?.begun).toBe(begun);
      });

      it("an attempt before the last counts, also one whose lease was lost", async () => {
        for (const lost of [true, false]) {
          const id = `wfr_${lost}`;
          await kit.accept(start(id));
          const first = await kit.claimOne();
          const retry = { ...answered(inStep), kind: "retry", dueAt: START } as Settlement;
          if (lost) await kit.at(START).release([first.lease]);
          else await kit.settle(first, retry);
          await kit.settle(await kit.claimOne(), answered(ours));
          const report = await kit.claimOne();
          expect(report.ended?.begun).toBe(true);
          await kit.settle(report, delivered(START));
        }
      });

      it("a delivery that nobody has begun has begun nothing", async () => {
        await kit.accept(start(RUN, { "Perdure-Run-Timeout": "1m" }));
        const first = await kit.claimOne();
        await kit.accept(append(RUN, 1, { [HEADER.delay]: "1d" }));
        await kit.settle(first, delivered(START));
        const { claims } = await kit.claim(START + 60_000);
        expect(kit.events("run.expired")).toMatchObject([{ runId: RUN, dlqId: expect.any(String) }]);
        expect(claims).toMatchObject([{ message: { kind: "failure" }, ended: { begun: false } }]);
      });

      it("of a group, the ids of those whose delivery was begun", async () => {
        await kit.accept(start(RUN));
        const first = await kit.claimOne();
        await kit.accept(planned(RUN, 1), planned(RUN, 2), planned(RUN, 3, { [HEADER.delay]: "1d" }));
        await kit.settle(first, delivered(START));
        const [one, two] = (await kit.claim()).claims;
        await kit.settle(two as Claim, { kind: "retry", dueAt: START + 1e6, failure: failure(START) });
        await kit.settle(one as Claim, failed());
        expect((await kit.claimOne()).ended?.started).toEqual([1, 2]);
      });
    });

    describe("what a run's endpoint wants is noted", () => {
      it("with its time, counted from the run's start, unless its trigger has said another", async () => {
        await kit.accept(start(RUN));
        await kit.accept(start("wfr_own", { "Perdure-Run-Timeout": "1h" }));
        const capabilities = "1, timeout=60";
        for (const one of (await kit.claim()).claims) {
          await kit.accept(append(one.run?.id ?? "", 1, { [HEADER.delay]: "1d" }));
          await kit.settle(one, { ...delivered(START), capabilities });
        }
        expect(kit.due).toContain(START + 60_000);
        expect((await kit.store.runs({ ids: [RUN], count: 1 })).items[0]?.run.capabilities).toBe(
          capabilities,
        );
        await kit.claim(START + 59_999);
        expect(kit.events("run.expired")).toEqual([]);
        await kit.claim(START + 60_000);
        expect(kit.events("run.expired")).toMatchObject([{ runId: RUN }]);
        expect(await kit.stateOf("wfr_own")).toBe("RUN_STARTED");
      });

      it.each([
        ["1, on-cancel", ["cancel"]],
        ["1", []],
      ])("%s: whether it is told of a cancellation", async (capabilities, expected) => {
        await kit.accept(start(RUN));
        const first = await kit.claimOne();
        await kit.accept(append(RUN, 1, { [HEADER.delay]: "1d" }));
        await kit.settle(first, { ...delivered(START), capabilities });
        await kit.at(START).cancelRuns({ ids: [RUN], count: 1 });
        expect(await kinds()).toEqual(expected);
      });

      it("also when it says so only after its run was cancelled", async () => {
        await kit.accept(start(RUN));
        const first = await kit.claimOne();
        await kit.at(START).cancelRuns({ ids: [RUN], count: 1 });
        expect(await kinds()).toEqual([]);
        expect(await kit.settle(first, { ...delivered(START), capabilities: "1, on-cancel" })).toEqual({
          kind: "stale",
        });
        expect(await kinds()).toEqual(["cancel"]);
      });
    });

    describe("what is still under way when its run fails", () => {
      let slow: Claim;
      const failBeside = async (rollback: boolean): Promise<void> => {
        await kit.accept(start(RUN));
        const first = await kit.claimOne();
        await kit.accept(planned(RUN, 1, {}, rollback), planned(RUN, 2, {}, rollback));
        await kit.settle(first, { ...delivered(START), capabilities: "1" });
        const [one, two] = (await kit.claim()).claims;
        slow = one as Claim;
        await kit.settle(two as Claim, failed());
      };

      it("is waited for, if its step has a rollback", async () => {
        await failBeside(true);
        expect(await kinds()).toEqual([]);
        expect(await kit.settle(slow, delivered(START + 5), START + 5)).toEqual({ kind: "stale" });
        expect(kit.due.at(-1)).toBe(START + 5);
        expect(await kinds(START + 5)).toEqual(["failure"]);
      });

      it("isn't waited for otherwise", async () => {
        await failBeside(false);
        expect(await kinds()).toEqual(["failure"]);
      });

      it("as long as its lease is renewed, and no longer", async () => {
        await failBeside(true);
        expect(await kit.store.renew([slow.lease], START + 3 * LEASE)).toEqual([]);
        expect(await kinds(START + 2 * LEASE)).toEqual([]);
        expect(await kinds(START + 3 * LEASE)).toEqual(["failure"]);
      });

      it("until it is given back", async () => {
        await failBeside(true);
        await kit.at(START + 1).release([slow.lease]);
        expect(await kinds(START + 1)).toEqual(["failure"]);
      });
    });

    describe("with the report going elsewhere", () => {
      const elsewhere = {
        [HEADER.failureCallback]: ELSEWHERE,
        "Upstash-Failure-Callback-Forward-X-Secret": "theirs",
      };

      it("the workflow is asked first, without what is meant for elsewhere", async () => {
        const first = await fail(elsewhere);
        expect(first.message).toMatchObject({ kind: "rollback", url: APP });
        expect(first.message.forward).toEqual([]);
        await kit.settle(first, rolledBack(1));
        const again = await kit.claimOne();
        expect(again.message.kind).toBe("rollback");
        expect((await revive()).runs).toEqual([]);
        await kit.settle(again, delivered(START));
        const report = await kit.claimOne();
        expect(report).toMatchObject({
          message: { kind: "failure", url: ELSEWHERE },
          ended: { rollbacks: [record(1)] },
        });
        expect(report.message.forward).toContainEqual(["x-secret", "theirs"]);
      });

      it("the report is due also when the workflow can't be asked, or mustn't be any more", async () => {
        await kit.settle(await fail(elsewhere), failed());
        expect(await kinds()).toEqual(["failure"]);
      });

      it("or when somebody takes the question back", async () => {
        const { message } = await fail(elsewhere);
        await kit.at(START).cancelMessage(message.id);
        expect(await kinds()).toEqual(["failure"]);
      });

      it("both are taken back together", async () => {
        await fail(elsewhere);
        const [letter] = (await kit.store.deadLetters({ count: 1 })).items;
        const { id = "" } = letter?.callback?.message ?? {};
        await kit.at(START).cancelMessage(id);
        expect((await kit.claim(START + 1e9)).claims).toEqual([]);
        expect((await revive()).runs).toHaveLength(1);
      });
    });

    describe("repeated", () => {
      beforeEach(async () => {
        await kit.settle(await fail(), rolledBack(2, "failed"));
        await kit.settle(await kit.claimOne(), rolledBack(1));
      });

      it("only once all is over, and only what has failed", async () => {
        const id = await dlqId();
        await expect(kit.at(START).repeatRollbacks(id)).rejects.toMatchObject({ code: "conflict" });
        await kit.settle(await kit.claimOne(), delivered(START));
        expect((await kit.at(START).repeatRollbacks(id))?.id).toBe(RUN);
        await expect(kit.at(START).repeatRollbacks(id)).rejects.toMatchObject({ code: "conflict" });
        expect((await revive()).runs).toEqual([]);
        const again = await kit.claimOne();
        expect(again).toMatchObject({ message: { kind: "rollback" }, ended: { rollbacks: [record(1)] } });
        await kit.settle(again, rolledBack(2));
        await kit.settle(await kit.claimOne(), delivered(START));
        await expect(kit.at(START).repeatRollbacks(id)).rejects.toMatchObject({ code: "conflict" });
        await expect(kit.at(START).repeatRollbacks("none")).rejects.toMatchObject({ code: "not_found" });
      });

      it("again when the endpoint couldn't be asked", async () => {
        const id = await dlqId();
        await kit.settle(await kit.claimOne(), delivered(START));
        await kit.at(START).repeatRollbacks(id);
        await kit.settle(await kit.claimOne(), failed());
        expect((await kit.at(START).repeatRollbacks(id))?.id).toBe(RUN);
      });
    });

    describe("a run that is taken up again", () => {
      it("isn't before its rollbacks are over, and has no more what was rolled back", async () => {
        let report = await fail();
        expect((await revive()).runs).toEqual([]);
        await kit.settle(report, rolledBack(1));
        report = await kit.claimOne();
        await kit.settle(report, delivered(START));
        const [run] = (await revive()).runs;
        const again = await kit.claimOne();
        expect(again).toMatchObject({ first: true, run: { id: run?.id, capabilities: "1" } });
        expect(again.entries).toHaveLength(1);
      });

      it("has what couldn't be rolled back", async () => {
        await kit.settle(await fail(), rolledBack(1, "failed"));
        await kit.settle(await kit.claimOne(), delivered(START));
        await revive();
        expect((await kit.claimOne()).entries).toHaveLength(2);
      });
    });

    it("the history of a run that has ended is there when it is asked for, of which run it is", async () => {
      await fail();
      const [log] = (await kit.store.runs({ ids: [RUN], count: 1 })).items;
      const createdAt = log?.run.createdAt;
      await kit.accept(start(RUN, {}, START + 1));
      await kit.at(START + 1).cancelRuns({ ids: [RUN], count: 1 });
      await expect(kit.store.history(RUN)).rejects.toMatchObject({ code: "not_found" });
      expect(await kit.store.history(RUN, { ended: true })).toHaveLength(1);
      expect(await kit.store.history(RUN, { ended: true, createdAt })).toHaveLength(2);
      await expect(kit.store.history(RUN, { ended: true, createdAt: 1 })).rejects.toMatchObject({
        code: "not_found",
      });
    });
  });
}
