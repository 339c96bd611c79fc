import { HEADER } from "@perdure/core/protocol";
import { describe, expect, it } from "vitest";
import type { Store } from "../../src/commands/store.ts";
import type { Expiry } from "../../src/rules/retention.ts";
import type { Receipt } from "../../src/store/receipt.ts";
import { NOT_FOUND, START } from "../harness.ts";
import { append, delivered, failure, type Kit, NO_OPTIONS, plain, start, useStore } from "./kit.ts";

const NEVER: Expiry = { messages: 0, logs: 0, dlq: 0, runs: 0, now: 0 };
const LATER = START + 1e6;
const ALL: Expiry = { messages: LATER, logs: LATER, dlq: LATER, runs: LATER, now: LATER };

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

async function sweepAll({ store }: Kit, expiry: Expiry, limit = 100): Promise<number> {
  for (let sweeps = 1; ; sweeps++) if (!(await store.sweep(expiry, limit)).more) return sweeps;
}

export function sweeping(name: string, open: () => Promise<Store>): void {
  describe(`${name}, sweeping`, () => {
    const kit = useStore(open);
    const logged = async (): Promise<number> => (await kit.store.logs({ count: 100 })).items.length;

    it("takes of each kind what is past its own time", async () => {
      const [{ messageId }] = (await kit.accept(plain())) as [Receipt];
      await kit.settle(await kit.claimOne(), delivered(START));
      await kit.accept(plain({ [HEADER.retries]: "0" }));
      await kit.settle(await kit.claimOne(), { kind: "failed", failure: failure(START) });
      await sweepAll(kit, { ...ALL, logs: START - 1, dlq: START - 1 });
      await expect(kit.store.message(messageId, 0)).rejects.toMatchObject(NOT_FOUND);
      expect(await logged()).toBe(7);
      await sweepAll(kit, { ...NEVER, logs: START });
      expect(await logged()).toBe(0);
      expect((await kit.store.deadLetters({ count: 10 })).items).toMatchObject([
        { message: { state: "FAILED" } },
      ]);
      await sweepAll(kit, { ...NEVER, dlq: START });
      expect((await kit.store.deadLetters({ count: 10 })).items).toEqual([]);
    });

    it("takes no more at once than it is told to", async () => {
      for (let at = 0; at < 5; at++) {
        await kit.accept(plain());
        await kit.settle(await kit.claimOne(), delivered(START));
      }
      expect((await kit.store.sweep(ALL, 4)).more).toBe(true);
      expect(await logged()).toBe(11);
      expect(await sweepAll(kit, ALL, 4)).toBeGreaterThan(2);
      expect(await logged()).toBe(0);
    });

    it("takes a run with all that is its own, however long it is", async () => {
      await kit.accept(start("wfr_1", { [HEADER.delay]: "1d" }));
      for (let step = 1; step <= 9; step++) await kit.accept(append("wfr_1", step, { [HEADER.delay]: "1d" }));
      await kit.at(START + 10).endRun("wfr_1", { state: "RUN_CANCELED", response: undefined });
      await sweepAll(kit, { ...NEVER, runs: START + 9 });
      expect(await kit.stateOf("wfr_1")).toBe("RUN_CANCELED");
      expect((await kit.store.sweep({ ...NEVER, runs: START + 10 }, 3)).more).toBe(true);
      await sweepAll(kit, { ...NEVER, runs: START + 10 }, 3);
      expect(await kit.stateOf("wfr_1")).toBeUndefined();
      await expect(
        kit.at(START).endRun("wfr_1", { state: "RUN_SUCCESS", response: undefined }),
      ).rejects.toMatchObject({ code: "not_found" });
    });

    it("never touches what is alive", async () => {
      const [message] = (await kit.accept(plain({ [HEADER.delay]: "1d" }))) as [Receipt];
      await kit.accept(start("wfr_1", { [HEADER.delay]: "1d" }));
      await kit.accept(plain());
      const underWay = await kit.claimOne();
      await sweepAll(kit, ALL);
      expect(await kit.stateOf("wfr_1")).toBe("RUN_STARTED");
      expect((await kit.store.message(message.messageId, 0)).message.state).toBe("CREATED");
      expect(await kit.settle(underWay, delivered(START))).toEqual({ kind: "recorded" });
      expect((await kit.claim(START + 86_400_000)).claims).toHaveLength(2);
    });

    it("keeps a run as long as its dead letter, which may be resumed until then", async () => {
      await kit.accept(start("wfr_1"));
      await kit.settle(await kit.claimOne(), { kind: "failed", failure: failure(START) });
      await kit.settle(await kit.claimOne(), delivered(START));
      await sweepAll(kit, { ...ALL, dlq: START - 1 });
      expect((await kit.store.deadLetters({ count: 10 })).items).toMatchObject([
        { run: { id: "wfr_1" }, callback: { state: "CALLBACK_SUCCESS" } },
      ]);
      const { runs } = await kit.at(START).resumeRuns({ count: 1 }, { kind: "resume", options: NO_OPTIONS });
      expect(runs).toHaveLength(1);
      // The new one may still be asked for by the old one's name.
      await sweepAll(kit, ALL);
      expect(await kit.stateOf("wfr_1")).toBe("RUN_FAILED");
      await kit.at(START).endRun(runs[0]?.id ?? "", { state: "RUN_SUCCESS", response: undefined });
      await sweepAll(kit, ALL);
      await sweepAll(kit, ALL);
      expect(await kit.stateOf("wfr_1")).toBeUndefined();
    });
  });

  describe(`${name}, sweeping flow control keys`, () => {
    const kit = useStore(open);
    const limited = (key: string, value = "parallelism=1", headers: Record<string, string> = {}) =>
      plain({ [HEADER.flowControlKey]: key, [HEADER.flowControlValue]: value, ...headers });
    const keys = async (): Promise<string[]> => (await kit.at(START).flows(undefined)).map(({ key }) => key);
    const sweep = async (until: number, limit = 100): Promise<boolean> =>
      (await kit.store.sweep({ ...NEVER, logs: until, now: until }, limit)).more;

    it("takes those that nothing has used, to the minute", async () => {
      await kit.accept(limited("k"));
      await kit.settle(await kit.claimOne(START + HOUR), delivered(START + HOUR), START + HOUR);
      await sweep(START + HOUR + 59_999);
      expect(await keys()).toEqual(["k"]);
      await sweep(START + HOUR + MINUTE);
      expect(await keys()).toEqual([]);
    });

    it("takes none that a message has, whatever that waits for", async () => {
      await kit.accept(
        limited("asleep", "parallelism=1", { [HEADER.delay]: "1d" }),
        limited("underWay"),
        limited("underWay"),
        limited("again"),
        limited("queued", "parallelism=1", { [HEADER.queueName]: "q" }),
        limited("behind", "parallelism=1", { [HEADER.queueName]: "q" }),
      );
      const { claims } = await kit.claim();
      const again = claims.find(({ message }) => message.flow?.key === "again");
      const retry = { kind: "retry", dueAt: START + 10 * HOUR, failure: failure(START) } as const;
      if (again) await kit.settle(again, retry);
      await sweepAll(kit, ALL);
      expect(await keys()).toEqual(["again", "asleep", "behind", "queued", "underWay"]);
      // And so the limits still hold.
      expect(await kit.at(START).flow("underWay")).toMatchObject({ active: 1, waiting: 1 });
    });

    it("takes none that is paused or pinned, or whose period isn't over", async () => {
      await kit.accept(limited("rate", "rate=1,period=1h"));
      await kit.settle(await kit.claimOne(), delivered(START));
      const pin = { kind: "pin", parallelism: 1, rate: undefined, period: undefined } as const;
      await kit.at(START).changeFlow("paused", { kind: "pause" });
      await kit.at(START).changeFlow("pinned", pin);
      await sweep(START + HOUR - 1);
      expect(await keys()).toEqual(["paused", "pinned", "rate"]);
      await sweep(START + HOUR);
      expect(await keys()).toEqual(["paused", "pinned"]);
      // From then on they are like the others.
      await kit.at(START + HOUR).changeFlow("paused", { kind: "resume" });
      await kit.at(START + HOUR).changeFlow("pinned", { kind: "unpin", parallelism: true, rate: true });
      await sweep(START + HOUR + MINUTE - 1);
      expect(await keys()).toEqual(["paused", "pinned"]);
      await sweep(START + HOUR + MINUTE);
      expect(await keys()).toEqual([]);
    });

    it("takes no more at once than it is told to, and looks at every key", async () => {
      const sleeping = Array.from({ length: 5 }, (_, at) =>
        limited(`a${at}`, "rate=1", { [HEADER.delay]: "1d" }),
      );
      const ids = (await kit.accept(...sleeping)).map(({ messageId }) => messageId);
      for (let at = 0; at < 5; at++) {
        await kit.accept(limited(`b${at}`));
        await kit.settle(await kit.claimOne(), delivered(START));
      }
      expect(await sweep(LATER, 3)).toBe(true);
      expect((await keys()).length).toBeGreaterThanOrEqual(7);
      while (await sweep(LATER, 3));
      expect(await keys()).toEqual(["a0", "a1", "a2", "a3", "a4"]);
      for (const id of ids) await kit.at(LATER).cancelMessage(id);
      await sweep(LATER + MINUTE);
      expect(await keys()).toEqual([]);
    });
  });
}
