import { describe, expect, it } from "vitest";
import type { Store } from "../../src/commands/store.ts";
import { NOT_FOUND, START } from "../harness.ts";
import { delivered, failure, start, useStore } from "./kit.ts";

const RUN = "wfr_1";

/** The look of those who wait for a run's end. */
export function ending(name: string, open: () => Promise<Store>): void {
  describe(`${name}, a look for a run's end`, () => {
    const kit = useStore(open);

    it("finds nothing of a run that isn't there", async () => {
      await expect(kit.store.runEnd({ id: RUN })).rejects.toMatchObject(NOT_FOUND);
    });

    it("has the run with its steps once it has ended", async () => {
      await kit.accept(start(RUN));
      expect(await kit.store.runEnd({ id: RUN })).toEqual({ state: "RUN_STARTED", createdAt: START });
      await kit.at(START).endRun(RUN, { state: "RUN_SUCCESS", response: '"done"' });
      expect(await kit.store.runEnd({ id: RUN })).toMatchObject({
        state: "RUN_SUCCESS",
        createdAt: START,
        run: {
          run: { id: RUN, response: '"done"' },
          entries: new Map([["init", expect.objectContaining({ callType: "step" })]]),
        },
      });
    });

    it("is for the newest run of an id, or for the one that was created at a time", async () => {
      await kit.accept(start(RUN));
      await kit.at(START).endRun(RUN, { state: "RUN_CANCELED", response: undefined });
      await kit.accept(start(RUN, {}, START + 5));
      expect(await kit.store.runEnd({ id: RUN })).toEqual({ state: "RUN_STARTED", createdAt: START + 5 });
      expect(await kit.store.runEnd({ id: RUN, createdAt: START })).toMatchObject({ state: "RUN_CANCELED" });
      await expect(kit.store.runEnd({ id: RUN, createdAt: START + 1 })).rejects.toMatchObject(NOT_FOUND);
    });

    it("waits for the report of the end where that is asked", async () => {
      await kit.accept(start(RUN));
      await kit.settle(await kit.claimOne(), { kind: "failed", failure: failure(START) });
      const whole = { id: RUN, withReports: true };
      expect(await kit.store.runEnd({ id: RUN })).toMatchObject({ run: {} });
      expect(await kit.store.runEnd(whole)).toEqual({ state: "RUN_FAILED", createdAt: START });
      await kit.settle(await kit.claimOne(), delivered(START));
      expect(await kit.store.runEnd(whole)).toMatchObject({ run: { failure: { callback: { reply: {} } } } });
    });
  });
}
