import { HEADER, type StepRecord } from "@perdure/core/protocol";
import { anyText } from "@perdure/test-support/fuzz";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Store } from "../../src/commands/store.ts";
import { parseCommand } from "../../src/rules/command.ts";
import { parseSearch, wordsOf } from "../../src/rules/search.ts";
import { APP, ofRun, START } from "../harness.ts";
import { failure, type Kit, start, useStore } from "./kit.ts";

const LIMITS = { retries: 999 };

/** A request of a run, with a body of the test's. */
const body = (id: string, init: "true" | "false", text: string, headers: Record<string, string> = {}) => {
  const all = Object.entries({ ...ofRun(id, init), ...headers });
  return parseCommand(
    {
      destination: APP,
      headers: new Map(all.map(([key, value]) => [key.toLowerCase(), value] as const)),
      body: new TextEncoder().encode(text),
      callerIp: "127.0.0.1",
      now: START,
    },
    LIMITS,
  );
};

const step = (id: string, record: Partial<StepRecord>, headers: Record<string, string> = {}) =>
  body(
    id,
    "false",
    JSON.stringify({ stepId: 1, stepName: "s", stepType: "Run", concurrent: 1, ...record }),
    headers,
  );

async function indexAll({ store }: Kit, ids: readonly string[]): Promise<void> {
  for (let left = ids; left.length > 0; ) left = await store.indexRuns(left);
}

export function searching(name: string, open: () => Promise<Store>): void {
  describe(`${name}, searching`, () => {
    const kit = useStore(async () => {
      const store = await open();
      expect(await store.openSearch()).toBe(true);
      return store;
    });
    const find = async (search: string): Promise<string[]> => {
      const query = { count: 100, search: parseSearch(search, "search") };
      return (await kit.store.runSummaries(query)).items.map(({ run }) => run.id);
    };

    it("indexes a run that has no payload", async () => {
      await kit.accept(body("wfr_a", "true", ""), step("wfr_a", { stepName: "charge" }));
      await indexAll(kit, ["wfr_a"]);
      expect(await find("charge")).toEqual(["wfr_a"]);
    });

    it("finds words of payloads, step names, results and errors", async () => {
      await kit.accept(
        body("wfr_a", "true", '{"customer":{"name":"Zoë Müller","mail":"zoe@example.com"},"order":17}'),
        step("wfr_a", { stepName: "charge card", out: '{"paid":true,"note":"line one\\nline two"}' }),
        start("wfr_b", { [HEADER.retries]: "0", [HEADER.label]: "europe" }),
      );
      const { claims } = await kit.claim();
      const claim = claims.find(({ run }) => run?.id === "wfr_b");
      if (claim)
        await kit.settle(claim, { kind: "failed", failure: failure(START, '{"message":"card declined"}') });
      await indexAll(kit, ["wfr_a", "wfr_b", "wfr_missing"]);
      expect(await find("zoe muller")).toEqual(["wfr_a"]);
      expect(await find("MÜLL")).toEqual(["wfr_a"]);
      expect(await find('"müll"')).toEqual([]);
      expect(await find("zoe@example.com order 17")).toEqual(["wfr_a"]);
      expect(await find("paid two charge")).toEqual(["wfr_a"]);
      expect(await find("card")).toEqual(["wfr_b", "wfr_a"]);
      expect(await find('"declined card"')).toEqual([]);
      expect(await find('"card declined" europe')).toEqual(["wfr_b"]);
      expect(await find("declined paid")).toEqual([]);
      expect(await find("wfr_a")).toEqual(["wfr_a"]);
      expect(await kit.store.countRuns({ search: parseSearch("card", "search") })).toMatchObject({
        RUN_STARTED: 1,
        RUN_FAILED: 1,
      });
    });

    it("adds what has come since, and the result at the end", async () => {
      await kit.accept(body("wfr_a", "true", '"first"'));
      await indexAll(kit, ["wfr_a"]);
      await kit.accept(step("wfr_a", { out: '"second"' }));
      expect([await find("first"), await find("second")]).toEqual([["wfr_a"], []]);
      await indexAll(kit, ["wfr_a"]);
      expect(await find("first second")).toEqual(["wfr_a"]);
      const end = { state: "RUN_SUCCESS", response: '"last word"' } as const;
      await kit.store.endRun("wfr_a", end);
      expect(await kit.store.unindexedRuns()).toEqual({ ids: ["wfr_a"], next: undefined });
      await indexAll(kit, ["wfr_a"]);
      expect(await find("first last")).toEqual(["wfr_a"]);
      expect(await kit.store.unindexedRuns()).toEqual({ ids: [], next: undefined });
    });

    it("leaves out bodies that are redacted", async () => {
      const redacted = { [HEADER.redactFields]: "body" };
      await kit.accept(body("wfr_a", "true", '"secret"', redacted));
      await kit.accept(step("wfr_a", { stepName: "visible", out: '"secret"' }, redacted));
      await kit.store.endRun("wfr_a", { state: "RUN_SUCCESS", response: '"secret"' });
      await indexAll(kit, ["wfr_a"]);
      expect([await find("secret"), await find("visible")]).toEqual([[], ["wfr_a"]]);
    });

    it("has the beginnings of long texts, and all steps of long runs", async () => {
      await kit.accept(body("wfr_a", "true", JSON.stringify(`begin ${"x".repeat(40_000)} end`)));
      for (let at = 1; at <= 250; at++) await kit.accept(step("wfr_a", { stepId: at, out: `"r${at}"` }));
      expect(await kit.store.indexRuns(["wfr_a"])).toEqual(["wfr_a"]);
      expect(await find("r250")).toEqual([]);
      await indexAll(kit, ["wfr_a"]);
      expect([await find("r250"), await find("begin"), await find("end")]).toEqual([
        ["wfr_a"],
        ["wfr_a"],
        [],
      ]);
    });

    it("forgets runs with the runs, also those that it wasn't told of", async () => {
      await kit.accept(body("wfr_a", "true", '"alpha"'), body("wfr_b", "true", '"alpha"'));
      for (const id of ["wfr_a", "wfr_b"]) {
        await kit.store.endRun(id, { state: "RUN_SUCCESS", response: undefined });
      }
      await indexAll(kit, ["wfr_a", "wfr_b"]);
      const { runs } = await kit.store.sweep({ messages: 0, logs: 0, dlq: 0, runs: START, now: START }, 100);
      expect(runs).toHaveLength(2);
      await kit.store.unindexRuns(runs.slice(0, 1));
      // A new run has the key of a deleted one, in SQLite.
      await kit.accept(body("wfr_c", "true", '"beta"', { [HEADER.delay]: "1h" }));
      expect(await find("alpha")).toEqual([]);
      expect(await kit.store.pruneIndex()).toBeUndefined();
      await indexAll(kit, ["wfr_c"]);
      expect([await find("alpha"), await find("beta")]).toEqual([[], ["wfr_c"]]);
    });

    it("takes any search, and finds any text by itself", async () => {
      let runs = 0;
      const property = fc.asyncProperty(anyText.filter(Boolean), async (text) => {
        const id = `wfr_${runs++}`;
        await kit.accept(body(id, "true", text, { [HEADER.delay]: "1h" }));
        await indexAll(kit, [id]);
        // Twenty words at most.
        const search = [...text].slice(0, 20).join("");
        if (wordsOf(search).length > 0) expect(await find(search)).toContain(id);
      });
      await fc.assert(property, { numRuns: 30 });
    });

    it("can be dropped, and made anew", async () => {
      await kit.accept(body("wfr_a", "true", '"alpha"'));
      await indexAll(kit, ["wfr_a"]);
      await kit.store.dropSearch();
      await kit.store.openSearch();
      expect(await find("alpha")).toEqual([]);
      await indexAll(kit, (await kit.store.unindexedRuns()).ids);
      expect(await find("alpha")).toEqual(["wfr_a"]);
    });
  });
}
