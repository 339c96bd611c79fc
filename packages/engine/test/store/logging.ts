import { HEADER } from "@perdure/core/protocol";
import { describe, expect, it } from "vitest";
import type { Store } from "../../src/commands/store.ts";
import type { LogEntry, LogQuery } from "../../src/store/lists.ts";
import type { StateCount } from "../../src/store/maintenance.ts";
import type { Receipt } from "../../src/store/receipt.ts";
import { NOT_FOUND, START } from "../harness.ts";
import { append, call, delivered, failure, known, LEASE, NO_OPTIONS, plain, start, useStore } from "./kit.ts";

export function logging(name: string, open: () => Promise<Store>): void {
  describe(`${name}, the log`, () => {
    const kit = useStore(open);
    const entries = async (query: Partial<LogQuery> = {}): Promise<readonly LogEntry[]> =>
      (await kit.store.logs({ count: 100, earliestFirst: true, ...query })).items;
    const states = async (query: Partial<LogQuery> = {}): Promise<string[]> =>
      (await entries(query)).map(({ state }) => state);

    it("has an entry for each change of a message's state", async () => {
      await kit.accept(plain());
      const retry = { kind: "retry", dueAt: START + 500, failure: failure(START + 1) } as const;
      await kit.settle(await kit.claimOne(), retry, START + 1);
      await kit.settle(await kit.claimOne(START + 500), delivered(START + 501), START + 501);
      expect((await entries()).map(({ state, at }) => [state, at - START])).toEqual([
        ["CREATED", 0],
        ["ACTIVE", 0],
        ["ERROR", 1],
        ["RETRY", 1],
        ["ACTIVE", 500],
        ["DELIVERED", 501],
      ]);
      expect(
        (await entries({ states: ["ERROR", "RETRY"] })).map(({ failure: of, nextDelivery }) => [
          of?.error,
          nextDelivery,
        ]),
      ).toEqual([
        ["the endpoint answered 500", undefined],
        [undefined, START + 500],
      ]);
    });

    it("tells of a lease that ran out by the next attempt only", async () => {
      await kit.accept(plain());
      const lost = await kit.claimOne();
      const again = await kit.claimOne(START + LEASE);
      expect(await kit.settle(lost, delivered(START))).toEqual({ kind: "stale" });
      await kit.settle(again, { kind: "failed", failure: failure(START + LEASE) });
      expect(await states()).toEqual(["CREATED", "ACTIVE", "ACTIVE", "ERROR", "FAILED"]);
    });

    it("tells of what is taken back", async () => {
      const [{ messageId }] = (await kit.accept(plain())) as [Receipt];
      await kit.at(START + 1).cancelMessage(messageId);
      await expect(kit.at(START + 2).cancelMessage(messageId)).rejects.toMatchObject(NOT_FOUND);
      expect(await states()).toEqual(["CREATED", "CANCEL_REQUESTED", "CANCELLED"]);
    });

    it("tells of a run's calls, not of its steps", async () => {
      await kit.accept(start("wfr_1", { [HEADER.delay]: "1d" }));
      await kit.accept(call("wfr_1"));
      await kit.at(START).endRun("wfr_1", { state: "RUN_CANCELED", response: undefined });
      expect(await states()).toEqual(["CREATED", "CANCELLED"]);
      const [{ run, body }] = (await entries()) as [LogEntry];
      expect([run?.id, Buffer.from(body ?? "").toString()]).toEqual(["wfr_1", "asked"]);
    });

    it("tells of what a queue takes with it", async () => {
      await kit.accept(plain({ [HEADER.queueName]: "q" }), plain({ [HEADER.queueName]: "q" }));
      const one = await kit.claimOne();
      await kit.at(START + 1).deleteQueue("q");
      await kit.settle(one, delivered(START + 2), START + 2);
      expect((await entries()).map(({ state, at }) => [state, at - START])).toEqual([
        ["CREATED", 0],
        ["CREATED", 0],
        ["ACTIVE", 0],
        ["CANCEL_REQUESTED", 1],
        ["CANCELLED", 1],
        ["DELIVERED", 2],
      ]);
    });

    it("comes in pages, in both directions", async () => {
      await kit.accept(plain(), plain(), plain());
      for (const earliestFirst of [false, true]) {
        const first = await kit.store.logs({ count: 2, earliestFirst });
        const second = await kit.store.logs({ count: 2, earliestFirst, before: first.next });
        const ids = [...first.items, ...second.items].map(({ message }) => message.seq);
        expect(ids).toEqual([...ids].sort((a, b) => (earliestFirst ? a - b : b - a)));
        expect(ids).toHaveLength(3);
        expect(second.next).toBeUndefined();
      }
    });
  });

  describe(`${name}, counting states`, () => {
    const kit = useStore(open);

    it("tells of those that were stored, and of no others", async () => {
      const told: StateCount[] = [];
      kit.store.onStates((counts) => told.push(...counts));
      await Promise.all([kit.accept(plain(), plain()), kit.accept(start("wfr_1"))]);
      const sums = (): string[] =>
        told
          .splice(0)
          .map(({ of, state, count }) => [of, state, count].join(" "))
          .sort();
      const started = ["delivery CREATED 1", "run RUN_STARTED 1"];
      expect(sums()).toEqual([...started, "message CREATED 2"].sort());
      await expect(kit.accept(plain(), append("wfr_none", 1))).rejects.toMatchObject({ code: "conflict" });
      await kit.accept(known("a"));
      await kit.accept(known("a"));
      expect(sums()).toEqual(["message CREATED 1"]);
      await kit.claim(START, 4);
      expect(sums()).toEqual(["delivery ACTIVE 1", "message ACTIVE 3"]);
      await kit.at(START).endRun("wfr_1", { state: "RUN_CANCELED", response: undefined });
      expect(sums()).toEqual(["delivery CANCELLED 1", "run RUN_CANCELED 1"]);
    });
  });

  describe(`${name}, retrying what failed`, () => {
    const kit = useStore(open);
    const fail = async (headers: Record<string, string> = {}): Promise<string> => {
      const [{ messageId }] = (await kit.accept(plain({ [HEADER.retries]: "0", ...headers }))) as [Receipt];
      await kit.settle(await kit.claimOne(), { kind: "failed", failure: failure(START) });
      return messageId;
    };

    it("makes a new message, and takes the entry away", async () => {
      const old = await fail({ [HEADER.label]: "l" });
      const { messages, next } = await kit.at(START + 5).retry({ count: 10 }, NO_OPTIONS);
      expect([messages.length, next]).toEqual([1, undefined]);
      expect((await kit.store.deadLetters({ count: 10 })).items).toEqual([]);
      expect(kit.due.at(-1)).toBe(START + 5);
      const again = await kit.claimOne(START + 5);
      expect(again.message).toMatchObject({ id: messages[0]?.id, labels: ["l"], retried: 0, maxRetries: 0 });
      expect(again.message.id).not.toBe(old);
      expect((await kit.at(START + 5).retry({ count: 10 }, NO_OPTIONS)).messages).toEqual([]);
    });

    it("does all of it or nothing", async () => {
      await fail({ [HEADER.queueName]: "q" });
      await fail();
      await kit.at(START).deleteQueue("q");
      const none = { queues: 0 };
      await expect(kit.at(START).retry({ count: 10 }, NO_OPTIONS, none)).rejects.toMatchObject({
        code: "limit_reached",
      });
      expect((await kit.store.deadLetters({ count: 10 })).items).toHaveLength(2);
      expect((await kit.claim(START + 1e9)).claims).toEqual([]);
    });

    it("leaves a run's entries to resume and restart", async () => {
      await kit.accept(start("wfr_1"));
      await kit.settle(await kit.claimOne(), { kind: "failed", failure: failure(START) });
      expect((await kit.at(START).retry({ count: 10 }, NO_OPTIONS)).messages).toEqual([]);
      expect((await kit.store.deadLetters({ count: 10 })).items).toHaveLength(1);
    });
  });
}
