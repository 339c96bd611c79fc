import { HEADER } from "@perdure/core/protocol";
import { describe, expect, it } from "vitest";
import type { Store } from "../../src/commands/store.ts";
import type { DestinationOrder } from "../../src/store/claim-order.ts";
import type { Claims } from "../../src/store/claims.ts";
import type { Receipt } from "../../src/store/receipt.ts";
import { START } from "../harness.ts";
import { delivered, LEASE, plain, useStore } from "./kit.ts";

/** Every destination has so much room. */
function room(places: number, open: Record<string, number> = {}): DestinationOrder {
  let left = places;
  return {
    open: new Map(Object.entries(open)),
    admit: ({ url }) =>
      left-- > 0 ? { kind: "admitted" } : { kind: "full", destination: new URL(url).host },
  };
}

export function destinations(name: string, open: () => Promise<Store>): void {
  describe(`${name}, destinations`, () => {
    const kit = useStore(open);
    const claim = (destinations: DestinationOrder, now = START): Promise<Claims> =>
      kit.at(now).claim({ limit: 10, leaseUntil: now + LEASE, destinations: destinations });

    it("keep what a destination has no room for, until it has", async () => {
      const ids = (await kit.accept(...Array.from({ length: 5 }, () => plain()))).map(
        ({ messageId }) => messageId,
      );
      const first = await claim(room(2));
      expect(first.claims.map(({ message }) => message.id)).toEqual(ids.slice(0, 2));
      expect([...first.destinations]).toEqual([["a.test", true]]);
      expect(first.nextDue).toBeUndefined();
      expect((await claim(room(9), START + 10 * LEASE)).claims).toHaveLength(2);
      const second = await claim(room(9, { "a.test": 2 }));
      expect(second.claims.map(({ message }) => message.id)).toEqual(ids.slice(2, 4));
      expect([...second.destinations]).toEqual([["a.test", true]]);
      const third = await claim(room(9, { "a.test": 2 }));
      expect(third.claims.map(({ message }) => message)).toMatchObject([{ id: ids[4], retried: 0 }]);
      expect([...third.destinations]).toEqual([["a.test", false]]);
    });

    it("are known to an engine that finds nothing else to do, whichever engine has held their messages back", async () => {
      const [receipt] = await kit.accept(plain());
      await claim(room(0));
      // An engine that has held nothing back has no open destinations.
      const idle = await claim(room(9));
      expect([idle.claims, [...idle.destinations]]).toEqual([[], [["a.test", true]]]);
      const { claims } = await claim(room(9, { "a.test": 9 }));
      expect(claims.map(({ message }) => message.id)).toEqual([receipt?.messageId]);
    });

    it("leave a message what its key has given it", async () => {
      const flow = { [HEADER.flowControlKey]: "k", [HEADER.flowControlValue]: "parallelism=1" };
      const ids = (await kit.accept(plain(flow), plain(flow))).map(({ messageId }) => messageId);
      expect((await claim(room(0))).claims).toEqual([]);
      // It waits, but with the key's one place: the other has to wait for it.
      const [one, ...others] = (await claim(room(9, { "a.test": 9 }))).claims;
      expect([one?.message.id, others]).toEqual([ids[0], []]);
      if (one) await kit.settle(one, delivered(START));
      expect((await claim(room(9))).claims.map(({ message }) => message.id)).toEqual([ids[1]]);
    });

    it("hold back what its key or its queue has been paused for meanwhile", async () => {
      const { changeFlow, pauseQueue } = kit.store;
      const flow = { [HEADER.flowControlKey]: "k", [HEADER.flowControlValue]: "parallelism=1" };
      await kit.accept(plain(flow), plain({ [HEADER.queueName]: "q" }));
      expect((await claim(room(0))).claims).toEqual([]);
      await changeFlow("k", { kind: "pause" });
      await pauseQueue("q", true);
      const paused = await claim(room(9, { "a.test": 9 }));
      expect([paused.claims, [...paused.destinations]]).toEqual([[], [["a.test", false]]]);
      await changeFlow("k", { kind: "resume" });
      await pauseQueue("q", false);
      const { claims } = await claim(room(9));
      expect(claims.map(({ message }) => [message.flow?.key, message.retried])).toEqual(
        expect.arrayContaining([
          ["k", 0],
          [undefined, 0],
        ]),
      );
      expect(claims).toHaveLength(2);
    });

    it("count what waits in them, or is due, without a key", async () => {
      const flow = { [HEADER.flowControlKey]: "k", [HEADER.flowControlValue]: "parallelism=9" };
      const none = await kit.at(START).waitingForRoom();
      await kit.accept(plain(), plain(), plain(), plain(flow), plain({ [HEADER.delay]: "1d" }));
      const before = await kit.at(START).waitingForRoom();
      const { claims } = await claim(room(1));
      const [{ messageId }] = (await kit.accept(plain(), plain(flow))) as [Receipt];
      const after = await kit.at(START).waitingForRoom();
      // What ran out is a lease: it isn't room that is waited for.
      const late = await kit.at(START + LEASE).waitingForRoom();
      for (const id of [messageId, ...claims.map(({ message }) => message.id)]) {
        await kit.at(START).cancelMessage(id);
      }
      const less = await kit.at(START).waitingForRoom();
      expect([none, before, after, late, less]).toEqual([
        { due: 0, aside: 0 },
        { due: 3, aside: 0 },
        { due: 1, aside: 2 },
        { due: 1, aside: 2 },
        { due: 0, aside: 2 },
      ]);
    });

    it("give back what is cancelled meanwhile to nobody", async () => {
      const [receipt] = await kit.accept(plain());
      await claim(room(0));
      await kit.at(START).cancelMessage(receipt?.messageId ?? "");
      const after = await claim(room(9, { "a.test": 9 }));
      expect([after.claims, [...after.destinations]]).toEqual([[], [["a.test", false]]]);
    });
  });

  describe(`${name}, upkeep`, () => {
    const kit = useStore(open);

    it("keeps settings, and changes those that are as they were", async () => {
      expect(await kit.store.setting("a")).toBeUndefined();
      expect(await kit.store.changeSetting("a", "x", "1")).toBe(false);
      expect(await kit.store.changeSetting("a", undefined, "1")).toBe(true);
      expect(await kit.store.changeSetting("a", undefined, "2")).toBe(false);
      expect(await kit.store.changeSetting("a", "1", "2")).toBe(true);
      expect([await kit.store.setting("a"), await kit.store.setting("b")]).toEqual(["2", undefined]);
    });

    it("tells how much there is to do", async () => {
      await kit.accept(...Array.from({ length: 4 }, () => plain()), plain({ [HEADER.delay]: "20s" }));
      await kit.at(START).claim({ limit: 3, leaseUntil: START + LEASE, destinations: room(1) });
      await kit.accept(plain());
      expect(await kit.at(START).backlog()).toEqual({ due: 1, waiting: 1, held: 3, deadLetters: 0 });
      expect(await kit.at(START + 20_000).backlog()).toMatchObject({ due: 2, waiting: 0 });
    });
  });
}
