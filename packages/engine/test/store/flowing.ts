import { HEADER } from "@perdure/core/protocol";
import { describe, expect, it } from "vitest";
import type { Store } from "../../src/commands/store.ts";
import { START } from "../harness.ts";
import { delivered, failure, LEASE, plain, useStore } from "./kit.ts";

const limited = (value: string, key = "k") =>
  plain({ [HEADER.flowControlKey]: key, [HEADER.flowControlValue]: value });

/** More messages than one claim looks at. */
const COUNT = 150;

export function flowing(name: string, open: () => Promise<Store>): void {
  describe(`${name}, flow control`, () => {
    const kit = useStore(open);
    const many = (count: number, value: string) => Array.from({ length: count }, () => limited(value));

    it("gives out no more at once than may be, and others in their place", async () => {
      const ids = (await kit.accept(...many(5, "parallelism=2"), plain())).map(({ messageId }) => messageId);
      const { claims, nextDue } = await kit.claim();
      expect(claims.map(({ message }) => message.id)).toEqual([ids[0], ids[1], ids[5]]);
      expect(nextDue).toBeUndefined();
      const [one] = claims;
      if (!one) throw new TypeError("Not due.");
      await kit.settle(one, delivered(START));
      expect(kit.due.at(-1)).toBe(START);
      expect((await kit.claim()).claims.map(({ message }) => message.id)).toEqual([ids[2]]);
    });

    it("has a place free when a lease is given back or an attempt has failed, not when a lease is lost", async () => {
      await kit.accept(...many(2, "parallelism=1"));
      const first = await kit.claimOne();
      const again = await kit.claimOne(START + LEASE);
      expect(again.message.id).toBe(first.message.id);
      await kit.settle(again, { kind: "retry", dueAt: START + 1e9, failure: failure(START) });
      const second = await kit.claimOne(START + LEASE);
      expect(second.message.id).not.toBe(first.message.id);
      await kit.at(START + LEASE).release([second.lease]);
      expect((await kit.claimOne(START + LEASE)).message.id).toBe(second.message.id);
    });

    it("gives out no more in a period than may be, and says when the next begins", async () => {
      await kit.accept(...many(5, "rate=2,period=1m"));
      const claim = async (now: number) => {
        const { claims, nextDue } = await kit.claim(now);
        for (const one of claims) await kit.settle(one, delivered(now), now);
        return [claims.length, nextDue];
      };
      expect(await claim(START)).toEqual([2, START + 60_000]);
      expect(await claim(START + 59_999)).toEqual([0, START + 60_000]);
      expect(await claim(START + 60_000)).toEqual([2, START + 120_000]);
      expect(await claim(START + 500_000)).toEqual([1, undefined]);
    });

    it("sets aside far more than it gives out without losing any", async () => {
      await kit.accept(...many(COUNT, "parallelism=1"));
      const seen = new Set<string>();
      for (let turn = 0; turn < 2 * COUNT && seen.size < COUNT; turn++) {
        for (const claim of (await kit.claim(START, 10)).claims) {
          seen.add(claim.message.id);
          await kit.settle(claim, delivered(START));
        }
      }
      expect(seen.size).toBe(COUNT);
    });
  });
}
