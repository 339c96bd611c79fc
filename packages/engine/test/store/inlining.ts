import type { InlineAnswer, InlineEnd, InlineRecord, StepKey } from "@perdure/core/protocol";
import { describe, expect, it } from "vitest";
import type { Store } from "../../src/commands/store.ts";
import { type AppendInline, readInlineAppend } from "../../src/rules/inline-append.ts";
import { type InlineLimits, readInlineRecords } from "../../src/rules/inline-records.ts";
import type { Settlement } from "../../src/rules/settlement.ts";
import type { Claim } from "../../src/store/claims.ts";
import { START } from "../harness.ts";
import { done, fails, key, sleeps, waits } from "../inline/invocation.ts";
import { event, failure, type Kit, reply, start, useStore } from "./kit.ts";

const ORIGIN = { callerIp: "::1", now: START };
const LIMITS: InlineLimits = { retries: 999, batchItems: 100 };

export interface Appending {
  readonly after: number;
  readonly records: readonly InlineRecord[];
  readonly underWay?: readonly StepKey[];
}

/** An append under the lease of a claim. */
export function appendOf({ runLease }: Claim, { after, records, underWay = [] }: Appending): AppendInline {
  const value = { lease: runLease, invocation: "1", after, records, underWay };
  return readInlineAppend(value, ORIGIN, LIMITS);
}

/** Appends under the lease of a claim. */
export async function appendUnder(store: Store, claim: Claim, appending: Appending): Promise<InlineAnswer> {
  return (await store.appendInline([appendOf(claim, appending)]))[0] as InlineAnswer;
}

/** An invocation of `wfr_1` that says how it ended. */
export function ended(
  end: NonNullable<InlineEnd["end"]>,
  after: number,
  ...records: readonly InlineRecord[]
): Settlement {
  const entries = readInlineRecords(records, { ...ORIGIN, runId: "wfr_1" }, LIMITS);
  const invocation = { invocation: "1", after, entries, end, result: "1", failed: undefined };
  return { kind: "invocation", invocation, reply: reply(200), stalled: failure(START, "stalled") };
}

export function inlining(name: string, open: () => Promise<Store>): void {
  describe(`${name}, inline execution`, () => {
    const kit = useStore(open);
    const positions = async (): Promise<unknown[]> =>
      ((await kit.store.history("wfr_1")) ?? []).map(({ callType }) => callType);

    it("one invocation at a time may append: the one that was claimed last", async () => {
      await kit.accept(start("wfr_1"));
      const first = await kit.claimOne();
      const record = { after: 1, records: [done(1)] };
      expect(await appendUnder(kit.store, first, record)).toEqual({ news: [{ own: 0 }] });
      const second = await kit.claimOne(START + 30_000);
      expect(second.entries).toHaveLength(2);
      expect(await appendUnder(kit.store, first, record)).toEqual({ error: "lease_lost" });
      expect(await appendUnder(kit.store, second, { after: 2, records: [done(2)] })).toEqual({
        news: [{ own: 0 }],
      });
      expect(await kit.settle(first, ended("returned", 2))).toEqual({ kind: "stale" });
    });

    it("a lease that is given back, or whose engine has died, is worth nothing", async () => {
      await kit.accept(start("wfr_1"));
      const first = await kit.claimOne();
      await kit.store.release([first.lease]);
      expect(await appendUnder(kit.store, first, { after: 1, records: [] })).toEqual({ error: "lease_lost" });
      const second = await kit.claimOne();
      expect(second.runLease).not.toBe(first.runLease);
      await kit.store.cancelMessage(second.message.id);
      expect(await appendUnder(kit.store, second, { after: 1, records: [] })).toEqual({
        error: "run_over",
        state: "RUN_CANCELED",
      });
    });

    it("a repeated append changes nothing, and an entry of somebody else's is among its news", async () => {
      await kit.accept(start("wfr_1"));
      const claim = await kit.claimOne();
      const asked = { after: 1, records: [waits("wfr_1", 1, "go"), done(2)] };
      expect(await appendUnder(kit.store, claim, asked)).toEqual({ news: [{ own: 0 }, { own: 1 }] });
      await kit.store.notify(event("go", "now"));
      const news = {
        news: [{ own: 0 }, { own: 1 }, { entry: expect.objectContaining({ callType: "step" }) }],
      };
      for (let time = 0; time < 2; time++) expect(await appendUnder(kit.store, claim, asked)).toEqual(news);
      expect(await positions()).toHaveLength(4);
      expect((await kit.claim()).claims).toEqual([]);
    });

    it("what comes while a run is held is due with its park; what comes later wakes it, once", async () => {
      await kit.accept(start("wfr_1"));
      const first = await kit.claimOne();
      await appendUnder(kit.store, first, {
        after: 1,
        records: [waits("wfr_1", 1, "a"), waits("wfr_1", 2, "b"), waits("wfr_1", 3, "c")],
      });
      await kit.store.notify(event("a", "now"));
      expect((await kit.claim()).claims).toEqual([]);
      await kit.settle(first, ended("parked", 4));
      const second = await kit.claimOne();
      expect(second.entries).toHaveLength(5);
      await kit.settle(second, ended("parked", 5));
      expect((await kit.claim()).claims).toEqual([]);
      await kit.store.notify(event("b", "now"));
      await kit.store.notify(event("c", "now"));
      const { claims } = await kit.claim();
      expect(claims.map(({ entries }) => entries.length)).toEqual([7]);
    });

    it("a sleep is recorded at its end, and keeps its run from stalling", async () => {
      await kit.accept(start("wfr_1"));
      await kit.settle(await kit.claimOne(), ended("parked", 1, sleeps(1, START + 5000)));
      expect((await kit.claim(START + 4999)).claims).toEqual([]);
      expect((await kit.claim(START + 4999)).nextDue).toBe(START + 5000);
      expect((await kit.claimOne(START + 5000)).entries).toHaveLength(3);
      expect(await kit.recordsOf("wfr_1")).toMatchObject([{ targetStep: 1 }, { stepId: 1 }]);
    });

    it("attempts are counted per step, and the next one is when the run is due", async () => {
      await kit.accept(start("wfr_1"));
      const first = await kit.claimOne();
      const answer = await appendUnder(kit.store, first, {
        after: 1,
        records: [fails(key("a"), 1, { delayMs: 700 }), fails(key("b"), 4)],
      });
      expect(answer).toEqual({
        news: [
          { own: 0, retryAt: START + 700 },
          { own: 1, exhausted: true },
        ],
      });
      await kit.settle(first, ended("parked", 3));
      expect((await kit.claim(START + 699)).claims).toEqual([]);
      expect((await kit.claim(START + 700)).claims).toHaveLength(1);
      expect(await positions()).toEqual(["step", "attempt", "attempt"]);
    });

    it("the end of a run closes its sleeps, and nothing can be appended to it", async () => {
      await kit.accept(start("wfr_1"));
      const first = await kit.claimOne();
      await appendUnder(kit.store, first, { after: 1, records: [sleeps(1, START + 5000)] });
      await kit.settle(first, ended("returned", 2, done(2)));
      expect(await kit.stateOf("wfr_1")).toBe("RUN_SUCCESS");
      expect((await kit.claim(START + 5000)).claims).toEqual([]);
      expect(await appendUnder(kit.store, first, { after: 1, records: [] })).toEqual({
        error: "run_over",
        state: "RUN_SUCCESS",
      });
    });
  });
}

/** A run that is claimed, and the claim. */
export async function claimedRun(kit: Pick<Kit, "store">): Promise<Claim> {
  await kit.store.accept([start("wfr_1")]);
  const { claims } = await kit.store.claim({ limit: 1, leaseUntil: START + 1000 });
  return claims[0] as Claim;
}
