import { HEADER } from "@perdure/core/protocol";
import { describe, expect, it } from "vitest";
import type { Store } from "../../src/commands/store.ts";
import { NOT_FOUND, START } from "../harness.ts";
import { delivered, failure, LEASE, plain, useStore } from "./kit.ts";

const MANY = { queues: 100 };
const queued = (headers: Record<string, string> = {}, queue = "q") =>
  plain({ [HEADER.queueName]: queue, ...headers });

export function queueing(name: string, open: () => Promise<Store>): void {
  describe(`${name}, queues`, () => {
    const kit = useStore(open);
    const fill = async (count: number, queue = "q") =>
      (await kit.accept(...Array.from({ length: count }, () => queued({}, queue)))).map(
        ({ messageId }) => messageId,
      );
    const due = async (now?: number) => (await kit.claim(now)).claims.map(({ message }) => message.id);
    const change = (parallelism?: number, paused?: boolean, now = START) =>
      kit.at(now).putQueue({ name: "q", parallelism, paused }, MANY);

    it("give out one at a time, in the order in which they were accepted, and say when it is the next one's turn", async () => {
      const ids = await fill(3);
      const { claims, nextDue } = await kit.claim();
      expect(claims.map(({ message }) => message.id)).toEqual([ids[0]]);
      expect(nextDue).toBeUndefined();
      kit.due.length = 0;
      const [one] = claims;
      if (!one) throw new TypeError("Not due.");
      await kit.settle(one, delivered(START));
      expect(kit.due).toEqual([START]);
      expect(await due()).toEqual([ids[1]]);
    });

    it("keep a message's place while its lease is lost or given back, and while it waits for another attempt", async () => {
      const ids = await fill(2);
      await kit.claim();
      expect(await due(START + LEASE)).toEqual([ids[0]]);
      const again = await kit.claimOne(START + 2 * LEASE);
      await kit.at(START + 2 * LEASE).release([again.lease]);
      const last = await kit.claimOne(START + 2 * LEASE);
      expect(last.message.id).toBe(ids[0]);
      await kit.settle(last, { kind: "retry", dueAt: START + 1e9, failure: failure(START) });
      expect(await due(START + 1e9 - 1)).toEqual([]);
      await kit.settle(await kit.claimOne(START + 1e9), delivered(START + 1e9));
      expect(await due(START + 1e9)).toEqual([ids[1]]);
    });

    it("keep a failed message's place for the report of it", async () => {
      await kit.accept(queued({ [HEADER.failureCallback]: "https://b.test" }), queued());
      const first = await kit.claimOne();
      await kit.settle(first, { kind: "failed", failure: failure(START) });
      const { claims } = await kit.claim();
      expect(claims.map(({ message }) => message.kind)).toEqual(["failure"]);
      const [report] = claims;
      if (!report) throw new TypeError("Not due.");
      await kit.settle(report, { kind: "retry", dueAt: START + 5, failure: failure(START) });
      expect(await due()).toEqual([]);
      await kit.settle(await kit.claimOne(START + 5), { kind: "failed", failure: failure(START) });
      expect((await kit.claim(START + 5)).claims).toMatchObject([{ message: { kind: "message" } }]);
    });

    it("have as many places as their parallelism says: more at once, fewer as they become free", async () => {
      const ids = await fill(6);
      await change(3);
      const { claims } = await kit.claim();
      expect(claims.map(({ message }) => message.id)).toEqual(ids.slice(0, 3));
      await change(1);
      for (const [at, claim] of claims.entries()) {
        expect(await due()).toEqual([]);
        await kit.settle(claim, delivered(START));
        expect((await kit.store.queue("q")).lag).toBe(5 - at);
      }
      expect(await due()).toEqual(ids.slice(3, 4));
    });

    it("take back places that haven't been used when there are to be fewer, the last first", async () => {
      await change(3);
      const ids = await fill(4);
      await change(1);
      expect(await due()).toEqual([ids[0]]);
      await change(2);
      expect(await due()).toEqual([ids[1]]);
    });

    it("give out nothing while they are paused, and afterwards all that came due meanwhile", async () => {
      await change(2);
      const ids = await fill(3);
      const first = await kit.claimOne();
      await kit.at(START).pauseQueue("q", true);
      expect(await due()).toEqual([]);
      await kit.settle(first, { kind: "retry", dueAt: START + 10, failure: failure(START) });
      expect((await kit.claim(START + 10)).claims).toEqual([]);
      expect((await kit.claim(START + 10)).nextDue).toBeUndefined();
      expect((await kit.store.message(ids[0] as string, START)).message.dueAt).toBe(START + 10);
      kit.due.length = 0;
      await kit.at(START + 20).pauseQueue("q", false);
      expect(kit.due).toContain(START + 20);
      expect((await due(START + 20)).sort()).toEqual(ids.slice(0, 2).sort());
      await expect(kit.at(START).pauseQueue("none", true)).rejects.toMatchObject({ code: "not_found" });
    });

    it("don't give out what was cancelled, and go on without it", async () => {
      const ids = await fill(3);
      await kit.at(START).cancelMessage(ids[1] as string);
      await kit.at(START).cancelMessage(ids[0] as string);
      expect(await due()).toEqual([ids[2]]);
      expect((await kit.store.queue("q")).lag).toBe(1);
    });

    it("are gone with what waits in them when they are deleted; what is under way isn't", async () => {
      const ids = await fill(3);
      const first = await kit.claimOne();
      await kit.at(START).deleteQueue("q");
      await expect(kit.store.queue("q")).rejects.toMatchObject(NOT_FOUND);
      for (const id of ids.slice(1))
        await expect(kit.store.message(id, START)).rejects.toMatchObject(NOT_FOUND);
      expect(
        await kit.settle(first, { kind: "retry", dueAt: START + 5, failure: failure(START) }),
      ).toMatchObject({ kind: "retrying", dueAt: START + 5, attempt: 1 });
      const [again] = await fill(1);
      expect((await due(START + 5)).sort()).toEqual([ids[0], again].sort());
    });

    it("are listed by name, as they were last changed", async () => {
      await fill(2, "b");
      await fill(1, "a");
      await kit.at(START + 5).putQueue({ name: "b", parallelism: undefined, paused: true }, MANY);
      expect(await kit.store.queues()).toEqual([
        { name: "a", parallelism: 1, paused: false, createdAt: START, updatedAt: START, lag: 1 },
        { name: "b", parallelism: 1, paused: true, createdAt: START, updatedAt: START + 5, lag: 2 },
      ]);
    });

    it("are refused beyond their number, with all that was to be stored with them", async () => {
      await kit.store.accept([queued({}, "a")], { queues: 1 });
      const error = { code: "limit_reached", message: expect.stringContaining("queue limit reached (1)") };
      await expect(kit.store.accept([plain(), queued({}, "b")], { queues: 1 })).rejects.toMatchObject(error);
      await expect(change()).resolves.toBeUndefined();
      await expect(
        kit.at(START).putQueue({ name: "c", parallelism: 1, paused: false }, { queues: 2 }),
      ).rejects.toMatchObject({ code: "limit_reached" });
      expect((await kit.claim()).claims).toHaveLength(1);
    });
  });
}
