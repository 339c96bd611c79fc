import { HEADER } from "@perdure/core/protocol";
import { describe, expect, it } from "vitest";
import type { Store } from "../../src/commands/store.ts";
import { NOT_FOUND, START } from "../harness.ts";
import { delivered, plain, useStore } from "./kit.ts";

const limited = (value: string, key = "k") =>
  plain({ [HEADER.flowControlKey]: key, [HEADER.flowControlValue]: value });
const PIN = { kind: "pin", parallelism: undefined, rate: undefined, period: undefined } as const;

export function limiting(name: string, open: () => Promise<Store>): void {
  describe(`${name}, flow control by hand`, () => {
    const kit = useStore(open);
    const flow = (now = START) => kit.at(now).flow("k");
    const count = async (now = START) => (await kit.claim(now)).claims.length;

    it("shows what is let through and what waits", async () => {
      await expect(flow()).rejects.toMatchObject(NOT_FOUND);
      await kit.accept(...Array.from({ length: 4 }, () => limited("parallelism=1,rate=3,period=1m")));
      const one = await kit.claimOne();
      const base = { key: "k", parallelism: 1, rate: 3, period: 60_000, paused: false, beganAt: START };
      const pins = { pinnedParallelism: false, pinnedRate: false };
      await count();
      expect(await flow()).toEqual({ ...base, ...pins, begun: 1, active: 1, waiting: 3 });
      await kit.settle(one, delivered(START));
      expect(await flow(START + 59_999)).toMatchObject({ begun: 1, active: 0 });
      expect(await flow(START + 60_000)).toMatchObject({ begun: 0, active: 0 });
      await kit.accept(limited("rate=1", "other"));
      expect((await kit.at(START).flows(undefined)).map(({ key }) => key)).toEqual(["k", "other"]);
      expect((await kit.at(START).flows("the")).map(({ key }) => key)).toEqual(["other"]);
    });

    it("gives out nothing with a key that is paused, and what waited when it isn't any more", async () => {
      await kit.at(START).changeFlow("k", { kind: "pause" });
      await kit.accept(limited("rate=1,period=1h"), limited("rate=1,period=1h"));
      expect(await count()).toBe(0);
      expect((await kit.claim()).nextDue).toBeUndefined();
      expect(await flow()).toMatchObject({ paused: true, waiting: 2 });
      kit.due.length = 0;
      await kit.at(START + 5).changeFlow("k", { kind: "resume" });
      expect(kit.due).toEqual([START + 5]);
      expect(await kit.claim(START + 5)).toMatchObject({ claims: [{}], nextDue: START + 5 + 3_600_000 });
    });

    it("keeps what is pinned", async () => {
      await kit.accept(...Array.from({ length: 5 }, () => limited("rate=1,period=1h")));
      expect(await count()).toBe(1);
      kit.due.length = 0;
      await kit.at(START + 5).changeFlow("k", { ...PIN, rate: 2 });
      expect(kit.due).toEqual([START + 5]);
      expect(await count(START + 5)).toBe(2);
      await kit.accept(limited("parallelism=9,rate=9,period=9h"));
      expect(await flow()).toMatchObject({ parallelism: 9, rate: 2, period: 3_600_000, pinnedRate: true });
      await kit.at(START).changeFlow("k", { kind: "unpin", parallelism: false, rate: true });
      expect(await flow()).toMatchObject({ rate: 2, pinnedRate: false });
      await kit.accept(limited("rate=9,period=9h"));
      expect(await flow()).toMatchObject({ parallelism: undefined, rate: 9 });
    });

    it("begins a new period when it is told to", async () => {
      await kit.accept(...Array.from({ length: 3 }, () => limited("rate=1,period=1h")));
      expect(await count()).toBe(1);
      await kit.at(START + 1000).changeFlow("k", { kind: "reset" });
      expect(await kit.claim(START + 1000)).toMatchObject({ claims: [{}], nextDue: START + 3_601_000 });
    });

    it("changes nothing of a key that isn't there, unless it pauses or pins it", async () => {
      for (const change of [{ kind: "resume" }, { kind: "reset" }] as const) {
        await expect(kit.at(START).changeFlow("k", change)).rejects.toMatchObject({ code: "not_found" });
      }
      await expect(flow()).rejects.toMatchObject(NOT_FOUND);
      await kit.at(START).changeFlow("k", { ...PIN, parallelism: 3 });
      expect(await flow()).toMatchObject({ parallelism: 3, rate: undefined, pinnedParallelism: true });
    });
  });
}
