import { HEADER } from "@perdure/core/protocol";
import { describe, expect, it } from "vitest";
import type { Expiry } from "../../src/domain/retention.ts";
import type { Receipt, Store } from "../../src/store/store.ts";
import { START } from "../harness.ts";
import { append, delivered, failure, NO_OPTIONS, plain, start, useStore } from "./kit.ts";

const NEVER: Expiry = { messages: 0, logs: 0, dlq: 0, deduplication: 0, runs: 0 };
const LATER = START + 1e6;
const ALL: Expiry = { messages: LATER, logs: LATER, dlq: LATER, deduplication: LATER, runs: LATER };

export function sweeping(name: string, open: () => Promise<Store>): void {
  describe(`${name}, sweeping`, () => {
    const kit = useStore(open);
    const sweepAll = async (expiry: Expiry, limit = 100): Promise<number> => {
      for (let sweeps = 1; ; sweeps++) if (!(await kit.store.sweep(expiry, limit))) return sweeps;
    };
    const logged = async (): Promise<number> => (await kit.store.logs({ count: 100 })).items.length;

    it("takes of each kind what is past its own time", async () => {
      const [{ messageId }] = (await kit.accept(plain())) as [Receipt];
      await kit.settle(await kit.claimOne(), delivered(START));
      await kit.accept(plain({ [HEADER.retries]: "0" }));
      await kit.settle(await kit.claimOne(), { kind: "failed", failure: failure(START) });
      await sweepAll({ ...ALL, logs: START - 1, dlq: START - 1 });
      expect(await kit.store.message(messageId, 0)).toBeUndefined();
      expect(await logged()).toBe(7);
      await sweepAll({ ...NEVER, logs: START });
      expect(await logged()).toBe(0);
      expect((await kit.store.deadLetters({ count: 10 })).items).toMatchObject([
        { message: { state: "FAILED" } },
      ]);
      await sweepAll({ ...NEVER, dlq: START });
      expect((await kit.store.deadLetters({ count: 10 })).items).toEqual([]);
    });

    it("takes no more at once than it is told to", async () => {
      for (let at = 0; at < 5; at++) {
        await kit.accept(plain());
        await kit.settle(await kit.claimOne(), delivered(START));
      }
      expect(await kit.store.sweep(ALL, 4)).toBe(true);
      expect(await logged()).toBe(11);
      expect(await sweepAll(ALL, 4)).toBeGreaterThan(2);
      expect(await logged()).toBe(0);
    });

    it("takes a run with all that is its own, however long it is", async () => {
      await kit.accept(start("wfr_1", { [HEADER.delay]: "1d" }));
      for (let step = 1; step <= 9; step++) await kit.accept(append("wfr_1", step, { [HEADER.delay]: "1d" }));
      await kit.store.endRun("wfr_1", { state: "RUN_CANCELED", response: undefined }, START + 10);
      await sweepAll({ ...NEVER, runs: START + 9 });
      expect(await kit.stateOf("wfr_1")).toBe("RUN_CANCELED");
      expect(await kit.store.sweep({ ...NEVER, runs: START + 10 }, 3)).toBe(true);
      await sweepAll({ ...NEVER, runs: START + 10 }, 3);
      expect(await kit.stateOf("wfr_1")).toBeUndefined();
      expect(
        (await kit.store.endRun("wfr_1", { state: "RUN_SUCCESS", response: undefined }, START)).kind,
      ).toBe("unknown");
    });

    it("never touches what is alive", async () => {
      const [message] = (await kit.accept(plain({ [HEADER.delay]: "1d" }))) as [Receipt];
      await kit.accept(start("wfr_1", { [HEADER.delay]: "1d" }));
      await kit.accept(plain());
      const underWay = await kit.claimOne();
      await sweepAll(ALL);
      expect(await kit.stateOf("wfr_1")).toBe("RUN_STARTED");
      expect((await kit.store.message(message.messageId, 0))?.message.state).toBe("CREATED");
      expect(await kit.settle(underWay, delivered(START))).toEqual({ kind: "recorded" });
      expect((await kit.claim(START + 86_400_000)).claims).toHaveLength(2);
    });

    it("keeps a run as long as its dead letter, which may be resumed until then", async () => {
      await kit.accept(start("wfr_1"));
      await kit.settle(await kit.claimOne(), { kind: "failed", failure: failure(START) });
      await kit.settle(await kit.claimOne(), delivered(START));
      await sweepAll({ ...ALL, dlq: START - 1 });
      expect((await kit.store.deadLetters({ count: 10 })).items).toMatchObject([
        { run: { id: "wfr_1" }, callback: { state: "CALLBACK_SUCCESS" } },
      ]);
      const { runs } = await kit.store.revive({ count: 1 }, { kind: "resume", options: NO_OPTIONS }, START);
      expect(runs).toHaveLength(1);
      // The new one may still be asked for by the old one's name.
      await sweepAll(ALL);
      expect(await kit.stateOf("wfr_1")).toBe("RUN_FAILED");
      await kit.store.endRun(runs[0]?.id ?? "", { state: "RUN_SUCCESS", response: undefined }, START);
      await sweepAll(ALL);
      await sweepAll(ALL);
      expect(await kit.stateOf("wfr_1")).toBeUndefined();
    });
  });
}
