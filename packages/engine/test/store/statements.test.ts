import { describe, expect, it } from "vitest";
import type { Claim } from "../../src/store/claims.ts";
import { START } from "../harness.ts";
import { done, key, waits } from "../inline/invocation.ts";
import { useCountingStore } from "./counting.ts";
import { appendUnder, claimedRun, ended } from "./inlining.ts";
import { append, delivered, event, failure, NO_OPTIONS, plain, start, waitFor } from "./kit.ts";

const kit = useCountingStore();

const ids = Array.from({ length: 100 }, (_, at) => `wfr_${at}`);

it("a page of 100 runs with 10 steps takes ten statements at most", async () => {
  for (const id of ids) {
    await kit.store.accept([start(id), ...Array.from({ length: 10 }, (_, step) => append(id, step + 1))]);
  }
  let shown: readonly unknown[] = [];
  const statements = await kit.statementsOf(async () => {
    const { items } = await kit.store.runs({ count: 100 });
    shown = items.map(({ entries }) => entries.size);
  });
  expect(shown).toEqual(ids.map(() => 11));
  expect(statements).toBeLessThanOrEqual(10);
  expect(await kit.statementsOf(() => kit.store.runSummaries({ count: 100 }))).toBe(3);
  expect(await kit.statementsOf(() => kit.store.countRuns({ labels: ["x"] }))).toBe(1);
});

it("a page of 100 dead letters, and of 100 entries of the log, takes as many", async () => {
  await kit.store.accept([...ids.map((id) => start(id)), ...ids.map(() => plain())]);
  const { claims } = await kit.store.claim({ limit: 200, leaseUntil: START + 1000 });
  expect(claims).toHaveLength(200);
  for (const { lease, run } of claims) {
    const settlement = run ? ({ kind: "failed", failure: failure(START) } as const) : delivered(START);
    await kit.store.settle(lease, settlement);
  }
  expect(await kit.statementsOf(() => kit.store.deadLetters({ count: 100 }))).toBeLessThanOrEqual(10);
  expect(await kit.statementsOf(() => kit.store.logs({ count: 100 }))).toBeLessThanOrEqual(10);
  const changes = { kind: "resume", options: NO_OPTIONS } as const;
  expect((await kit.store.resumeRuns({ count: 100 }, changes)).runs).toHaveLength(100);
});

/** Statements of a page, whatever its length. */
const AT_MOST = {
  ...{ overview: 12, steps: 10, groups: 2, waiters: 1, pending: 1 },
  ...{ numbers: 1, now: 3, audit: 1, affected: 1, urls: 1 },
};

it("a page of anything that people look at takes a handful, however long it is", async () => {
  const counts = async (length: number): Promise<Record<string, number | undefined>> => {
    const shown = { count: 200 };
    const pages: Record<keyof typeof AT_MOST, () => Promise<unknown>> = {
      overview: () => kit.store.runOverview({ id: "wfr_parent" }),
      steps: () => kit.store.runSteps({ id: "wfr_parent", ...shown }),
      groups: () => kit.store.deadLetterGroups(shown),
      waiters: () => kit.store.openWaits(shown),
      pending: () => kit.store.unfinishedMessages(shown),
      numbers: () => kit.store.runNumbers({ from: START, to: START + 3_600_000, bucket: 60_000 }),
      now: () => kit.store.currentNumbers(),
      audit: () => kit.store.actions(shown),
      urls: () => kit.store.workflowUrls(),
      affected: () => kit.store.affectedRuns("cancel", shown),
    };
    const found: Record<string, number> = {};
    for (const [name, ask] of Object.entries(pages)) found[name] = await kit.statementsOf(ask);
    expect((await kit.store.unfinishedMessages(shown)).items.length).toBeGreaterThan(length);
    return found;
  };
  await kit.store.accept([start("wfr_parent"), start("wfr_fails")]);
  const fill = async (from: number, to: number): Promise<void> => {
    for (let at = from; at <= to; at++) {
      await kit.store.accept([append("wfr_parent", at), start(`wfr_${at}`)]);
      await kit.store.wait(waitFor(`wfr_${at}`, `event ${at}`));
      await kit.store.recordAction({ actor: "a", action: "b", target: "c", callerIp: "::1" });
    }
  };
  await fill(1, 2);
  const short = await counts(2);
  await fill(3, 60);
  const { claims } = await kit.store.claim({ limit: 200, leaseUntil: START + 1000 });
  for (const { lease, run } of claims.slice(0, 40)) {
    if (run?.id === "wfr_parent") continue;
    await kit.store.settle(lease, { kind: "failed", failure: failure(START, `boom ${run?.id}`) });
  }
  const long = await counts(20);
  for (const counted of [short, long]) {
    for (const [name, most] of Object.entries(AT_MOST)) {
      expect.soft(counted[name], name).toBeLessThanOrEqual(most);
    }
  }
});

/** Claims one message. */
async function claimOne(): Promise<Claim> {
  const { claims } = await kit.store.claim({ limit: 1, leaseUntil: START + 1000 });
  return claims[0] as Claim;
}

// Each step of each run pays for these: a figure that grows needs a reason, and one that shrinks is written down.
describe("an operation takes as many statements as it needs:", () => {
  it("publishing a message", async () => {
    expect(await kit.statementsOf(() => kit.store.accept([plain()]))).toBe(3);
  });

  it("starting a run", async () => {
    expect(await kit.statementsOf(() => kit.store.accept([start("wfr_1")]))).toBe(5);
  });

  it("recording a step", async () => {
    await kit.store.accept([start("wfr_1")]);
    expect(await kit.statementsOf(() => kit.store.accept([append("wfr_1", 1)]))).toBe(4);
  });

  it("claiming one delivery of a run", async () => {
    await kit.store.accept([start("wfr_1")]);
    expect(await kit.statementsOf(claimOne)).toBe(7);
  });

  it("settling a delivery", async () => {
    await kit.store.accept([start("wfr_1"), append("wfr_1", 1)]);
    const { lease } = await claimOne();
    expect(await kit.statementsOf(() => kit.store.settle(lease, delivered(START)))).toBe(5);
  });

  it("settling a delivery that is made again", async () => {
    await kit.store.accept([start("wfr_1")]);
    const { lease } = await claimOne();
    const retry = { kind: "retry", dueAt: START + 1, failure: failure(START) } as const;
    expect(await kit.statementsOf(() => kit.store.settle(lease, retry))).toBe(5);
  });

  it("settling the last attempt of a run", async () => {
    await kit.store.accept([start("wfr_1")]);
    const { lease } = await claimOne();
    const failed = { kind: "failed", failure: failure(START) } as const;
    expect(await kit.statementsOf(() => kit.store.settle(lease, failed))).toBe(18);
  });

  it("appending the result of a step that ran inline: the lease is checked, and the record inserted", async () => {
    const claim = await claimedRun(kit);
    const append = (id: number) => {
      const result = { after: id, records: [done(id)], underWay: [key(`step${id + 1}`)] };
      return kit.statementsOf(() => appendUnder(kit.store, claim, result));
    };
    // The first one also notes that the endpoint runs the run inline.
    expect(await append(1)).toBe(3);
    expect(await append(2)).toBe(2);
  });

  it("appending behind what somebody else has recorded: the news take one more", async () => {
    const claim = await claimedRun(kit);
    await appendUnder(kit.store, claim, { after: 1, records: [waits("wfr_1", 1, "go")] });
    await kit.store.notify(event("go", "now"));
    expect(
      await kit.statementsOf(() => appendUnder(kit.store, claim, { after: 2, records: [done(2)] })),
    ).toBe(3);
  });

  it("settling an invocation that returned", async () => {
    const claim = await claimedRun(kit);
    const settle = () => kit.store.settle(claim.lease, ended("returned", 1, done(1)));
    expect(await kit.statementsOf(settle)).toBe(10);
  });
});
