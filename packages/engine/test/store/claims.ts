import { HEADER } from "@perdure/core/protocol";
import { describe, expect, it } from "vitest";
import type { Store } from "../../src/commands/store.ts";
import { APP, START } from "../harness.ts";
import { append, delivered, LEASE, plain, start, useStore } from "./kit.ts";

export function claims(name: string, open: () => Promise<Store>): void {
  describe(`${name}, claims`, () => {
    const kit = useStore(open);

    it("give out what is due, in order, and what is next", async () => {
      const receipts = await kit.accept(
        plain({ [HEADER.delay]: "20s" }),
        plain(),
        plain({ [HEADER.delay]: "10s" }),
      );
      const ids = receipts.map((receipt) => receipt.messageId);
      expect(kit.due).toEqual([START + 20_000, START, START + 10_000]);
      const now = await kit.claim();
      expect(now.claims.map(({ message }) => message.id)).toEqual([ids[1]]);
      expect(now.nextDue).toBe(START + 10_000);
      const later = await kit.claim(START + 25_000);
      expect(later.claims.map(({ message }) => message.id)).toEqual([ids[2], ids[0]]);
      expect(later.nextDue).toBeUndefined();
    });

    it("give out no more than asked for, the earlier accepted first", async () => {
      const ids = (await kit.accept(...Array.from({ length: 5 }, () => plain()))).map(
        ({ messageId }) => messageId,
      );
      const first = await kit.claim(START, 2);
      const rest = await kit.claim(START, 10);
      expect([...first.claims, ...rest.claims].map(({ message }) => message.id)).toEqual(ids);
      expect(first.nextDue).toBe(START);
    });

    it("give out nothing twice while its lease lasts, and everything again after", async () => {
      await kit.accept(plain());
      const first = await kit.claimOne();
      expect((await kit.claim(START + LEASE - 1)).claims).toEqual([]);
      const second = await kit.claimOne(START + LEASE);
      expect(second.lease).toMatchObject({ messageId: first.lease.messageId, fence: first.lease.fence + 1 });
      expect(second.message.retried).toBe(0);
      expect(await kit.settle(first, delivered(START))).toEqual({ kind: "stale" });
      expect(await kit.settle(second, delivered(START))).toEqual({ kind: "recorded" });
      expect(await kit.settle(second, delivered(START))).toEqual({ kind: "stale" });
    });

    it("last as long as they are renewed, and no longer", async () => {
      await kit.accept(plain());
      const { lease } = await kit.claimOne();
      expect(await kit.store.renew([lease], START + 3 * LEASE)).toEqual([]);
      expect((await kit.claim(START + 2 * LEASE)).claims).toEqual([]);
      const second = await kit.claimOne(START + 3 * LEASE);
      expect(await kit.store.renew([lease], START + 9 * LEASE)).toEqual([lease]);
      expect((await kit.claim(START + 4 * LEASE)).claims).toHaveLength(1);
      await kit.store.renew([second.lease], START + 9 * LEASE);
      expect((await kit.claim(START + 5 * LEASE)).claims).toHaveLength(1);
    });

    it("that are given back are due at once, as if not tried", async () => {
      await kit.accept(plain());
      const { lease } = await kit.claimOne();
      await kit.at(START + 1).release([lease]);
      expect(kit.due.at(-1)).toBe(START + 1);
      const again = await kit.claimOne(START + 1);
      expect(again.message).toMatchObject({ id: lease.messageId, retried: 0 });
      await kit.at(START + 2).release([lease]);
      expect((await kit.claim(START + 2)).claims).toEqual([]);
    });

    it("of a step carry the run and its history up to that step", async () => {
      await kit.accept(start("wfr_1", { [HEADER.retries]: "7", "Upstash-Forward-X-A": "1" }));
      const [, second] = await kit.accept(append("wfr_1", 1), append("wfr_1", 2));
      const { claims } = await kit.claim();
      expect(claims.map(({ entries }) => entries.length)).toEqual([1, 2, 3]);
      expect(claims.map(({ first }) => first)).toEqual([true, false, false]);
      expect(claims[2]?.entries.at(-1)?.messageId).toBe(second?.messageId);
      for (const { run, message } of claims) {
        expect(message).toMatchObject({ kind: "step", maxRetries: 7, url: APP, state: "ACTIVE" });
        expect(run).toMatchObject({ id: "wfr_1", url: APP, createdAt: START, state: "RUN_STARTED" });
        expect(run?.config.forward).toContainEqual(["x-a", "1"]);
      }
    });
  });
}
