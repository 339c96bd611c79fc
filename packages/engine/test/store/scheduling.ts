import { HEADER } from "@perdure/core/protocol";
import { describe, expect, it } from "vitest";
import type { Store } from "../../src/commands/store.ts";
import { NOT_FOUND, START } from "../harness.ts";
import { delivered, failure, schedule, useStore } from "./kit.ts";

const MINUTE = 60_000;
const MANY = { schedules: 100, queues: 100, retries: 999 };

export function scheduling(name: string, open: () => Promise<Store>): void {
  describe(`${name}, schedules`, () => {
    const kit = useStore(open);
    const put = (id: string, headers: Record<string, string> = {}, now = START) =>
      kit.store.createSchedule(schedule(id, headers, now), MANY);

    it("make a message with the claim in which their time comes, and say when it comes again", async () => {
      await put("s", { [HEADER.label]: "l" });
      expect(kit.due).toEqual([START + MINUTE]);
      expect(await kit.claim(START + MINUTE - 1)).toMatchObject({ claims: [], nextDue: START + MINUTE });
      const { claims, nextDue } = await kit.claim(START + MINUTE);
      expect(claims).toMatchObject([
        { message: { schedule: "s", labels: ["l"], createdAt: START + MINUTE } },
      ]);
      expect(Buffer.from(claims[0]?.message.body ?? []).toString()).toBe("tick");
      expect(nextDue).toBe(START + 2 * MINUTE);
      expect((await kit.claim(START + MINUTE)).claims).toEqual([]);
      expect(await kit.store.schedule("s")).toMatchObject({
        lastAt: START + MINUTE,
        nextAt: START + 2 * MINUTE,
        lastStates: { [claims[0]?.message.id as string]: "IN_PROGRESS" },
      });
    });

    it("make one message for all times that were missed", async () => {
      await put("s");
      const { claims, nextDue } = await kit.claim(START + 10 * MINUTE + 1);
      expect(claims).toHaveLength(1);
      expect(nextDue).toBe(START + 11 * MINUTE);
    });

    it("put a message off by their delay, and into their queue", async () => {
      await put("s", { [HEADER.delay]: "30s", [HEADER.queueName]: "q" });
      expect(await kit.store.queue("q")).toMatchObject({ lag: 0 });
      const { claims, nextDue } = await kit.claim(START + MINUTE);
      expect([claims.length, nextDue]).toEqual([0, START + MINUTE + 30_000]);
      expect(await kit.store.queue("q")).toMatchObject({ lag: 1 });
      const one = await kit.claimOne(START + MINUTE + 30_000);
      expect(one.message).toMatchObject({ queue: "q", notBefore: START + MINUTE + 30_000 });
    });

    it("note what became of their last message, not of the one before", async () => {
      await put("s");
      const first = await kit.claimOne(START + MINUTE);
      await kit.store.renew([first.lease], START + 9 * MINUTE);
      const second = await kit.claimOne(START + 2 * MINUTE);
      const states = async () => (await kit.store.schedule("s")).lastStates;
      await kit.settle(first, delivered(START));
      expect(await states()).toEqual({ [second.message.id]: "IN_PROGRESS" });
      await kit.settle(second, { kind: "retry", dueAt: START + 2 * MINUTE + 1, failure: failure(START) });
      expect(await states()).toEqual({ [second.message.id]: "IN_PROGRESS" });
      await kit.settle(await kit.claimOne(START + 2 * MINUTE + 1), delivered(START));
      expect(await states()).toEqual({ [second.message.id]: "SUCCESS" });
      const third = await kit.claimOne(START + 3 * MINUTE);
      await kit.settle(third, { kind: "failed", failure: failure(START) });
      expect(await states()).toEqual({ [third.message.id]: "FAIL" });
    });

    it("skip their times while they are paused", async () => {
      await put("s");
      await kit.at(START).pauseSchedule("s", true);
      expect(await kit.claim(START + 5 * MINUTE)).toMatchObject({ claims: [], nextDue: undefined });
      kit.due.length = 0;
      await kit.at(START + 5 * MINUTE).pauseSchedule("s", false);
      expect(kit.due).toEqual([START + 6 * MINUTE]);
      expect((await kit.claim(START + 5 * MINUTE)).claims).toEqual([]);
      expect((await kit.claim(START + 6 * MINUTE)).claims).toHaveLength(1);
      await expect(kit.at(START).pauseSchedule("none", true)).rejects.toMatchObject({ code: "not_found" });
    });

    it("are replaced in their place", async () => {
      await put("a");
      await put("b");
      await kit.at(START).pauseSchedule("a", true);
      await put("a", { [HEADER.cron]: "0 0 * * *" }, START + 5);
      expect(
        (await kit.store.schedules()).map(({ id, cron, createdAt, paused, nextAt }) => [
          id,
          cron,
          createdAt,
          paused,
          nextAt,
        ]),
      ).toEqual([
        ["a", "0 0 * * *", START, true, undefined],
        ["b", "* * * * *", START, false, START + MINUTE],
      ]);
    });

    it("are gone when they are deleted; what they made isn't", async () => {
      await put("s");
      const { claims } = await kit.claim(START + MINUTE);
      await kit.store.deleteSchedule("s");
      await kit.store.deleteSchedule("s");
      await expect(kit.store.schedule("s")).rejects.toMatchObject(NOT_FOUND);
      const [one] = claims;
      if (!one) throw new TypeError("Not due.");
      expect(await kit.settle(one, delivered(START))).toEqual({ kind: "recorded" });
      expect(await kit.claim(START + 9 * MINUTE)).toMatchObject({ claims: [], nextDue: undefined });
    });

    it("are refused beyond their number", async () => {
      await put("a");
      const limits = { schedules: 1, queues: 0, retries: 999 };
      await expect(kit.store.createSchedule(schedule("b"), limits)).rejects.toMatchObject({
        code: "limit_reached",
      });
      await expect(kit.store.createSchedule(schedule("a"), limits)).resolves.toBe("a");
      const inQueue = schedule("a", { [HEADER.queueName]: "q" });
      await expect(kit.store.createSchedule(inQueue, limits)).rejects.toMatchObject({
        code: "limit_reached",
      });
      expect((await kit.store.schedules()).map(({ id, headers }) => [id, headers.length])).toEqual([
        ["a", 0],
      ]);
    });

    it("of any number make all their messages", async () => {
      for (let at = 0; at < 30; at++) await put(`s${at}`);
      const seen = new Set<string>();
      for (let turn = 0; turn < 10; turn++) {
        for (const { message } of (await kit.claim(START + MINUTE, 7)).claims)
          seen.add(message.schedule ?? "");
      }
      expect(seen.size).toBe(30);
    });
  });
}
