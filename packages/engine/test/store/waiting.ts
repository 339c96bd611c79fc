import { describe, expect, it } from "vitest";
import type { Store } from "../../src/commands/store.ts";
import { NOT_FOUND, START } from "../harness.ts";
import { delivered, event, failure, start, useStore, waitFor } from "./kit.ts";

const HOUR = 3_600_000;
const CANCELED = { state: "RUN_CANCELED", response: undefined } as const;

export function waiting(name: string, open: () => Promise<Store>): void {
  describe(`${name}, waiting`, () => {
    const kit = useStore(open);

    it("keeps a run from being taken for stalled, and is told as what is next", async () => {
      await kit.accept(start("wfr_1"));
      const first = await kit.claimOne();
      await kit.at(START).wait(waitFor("wfr_1", "e"));
      expect(kit.due.at(-1)).toBe(START + HOUR);
      expect(await kit.settle(first, delivered(START))).toEqual({ kind: "recorded" });
      expect(await kit.claim()).toMatchObject({ claims: [], nextDue: START + HOUR });
      expect(kit.events("step.recorded")).toEqual([]);
    });

    it("is over at its time, with one claim for all that are", async () => {
      for (const id of ["wfr_1", "wfr_2"]) {
        await kit.accept(start(id));
        await kit.settle(await kit.claimOne(), {
          kind: "retry",
          dueAt: START + 9 * HOUR,
          failure: failure(START),
        });
        await kit.at(START).wait(waitFor(id, "e"));
      }
      expect((await kit.claim(START + HOUR - 1)).claims).toEqual([]);
      const { claims } = await kit.claim(START + HOUR);
      expect(claims.map(({ run }) => run?.id)).toEqual(["wfr_1", "wfr_2"]);
      expect(kit.events("step.recorded")).toMatchObject([{ timedOut: true }, { timedOut: true }]);
      expect(await kit.recordsOf("wfr_1")).toMatchObject([{ waitEventId: "e", waitTimeout: true }]);
      await kit.claim(START + 2 * HOUR);
      expect(kit.events("step.recorded")).toEqual([]);
    });

    it("is for one event, and one record, however often it is asked for", async () => {
      await kit.accept(start("wfr_1"));
      const [one, two] = await Promise.all([
        kit.at(START).wait(waitFor("wfr_1", "e")),
        kit.at(START).wait(waitFor("wfr_1", "e")),
      ]);
      expect(two.messageId).toBe(one.messageId);
      expect([one, two].filter(({ deduplicated }) => deduplicated)).toHaveLength(1);
      const told = await Promise.all([
        kit.at(START).notify(event("e", "1")),
        kit.at(START).notify(event("e", "2")),
      ]);
      const waiters = told.flatMap((one) => (one.kind === "delivered" ? one.waiters : []));
      expect(waiters).toMatchObject([{ run: { id: "wfr_1" } }]);
      expect(await kit.at(START).wait(waitFor("wfr_1", "e"))).toMatchObject({ deduplicated: true });
      expect(await kit.recordsOf("wfr_1")).toHaveLength(1);
      await kit.claim(START + HOUR);
      expect(kit.events("step.recorded")).toHaveLength(1);
    });

    it("finds what came before, the first first, and each once", async () => {
      await kit.accept(start("wfr_1"));
      for (const data of ["one", "two"]) {
        expect(await kit.at(START).notify(event("e", data, "wfr_1"))).toMatchObject({
          kind: "delivered",
          waiters: [],
        });
      }
      for (const step of [1, 2, 3]) await kit.at(START).wait(waitFor("wfr_1", "e", "1h", step));
      const out = (await kit.recordsOf("wfr_1")).map((record) =>
        Buffer.from(String(record.out), "base64").toString(),
      );
      expect(out).toEqual(["one", "two"]);
      expect(await kit.store.waiters("e")).toHaveLength(1);
    });

    it("is of a live run, and ends with it", async () => {
      await expect(kit.at(START).wait(waitFor("wfr_1", "e"))).rejects.toMatchObject({ code: "conflict" });
      await kit.accept(start("wfr_1"));
      await kit.at(START).wait(waitFor("wfr_1", "e"));
      await kit.at(START).endRun("wfr_1", CANCELED);
      expect(await kit.store.waiters("e")).toEqual([]);
      expect(await kit.at(START).notify(event("e", "x", "wfr_1"))).toEqual({ kind: "not live" });
      await kit.claim(START + HOUR);
      expect(kit.events("step.recorded")).toEqual([]);
    });

    it("for a webhook takes none but the run's own", async () => {
      await kit.accept(start("wfr_1"));
      const notice = { ...event("e", "x", "wfr_1"), webhook: { hits: 1, bytes: 1000 } };
      await expect(kit.at(START).notify(notice)).rejects.toMatchObject(NOT_FOUND);
      for (const runId of ["wfr_1", "wfr_2"])
        await expect(kit.store.checkWebhook(runId, "e", notice.webhook)).rejects.toMatchObject(NOT_FOUND);
    });
  });
}
