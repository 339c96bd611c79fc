import { encodeCapabilities } from "@perdure/core/protocol";
import { describe, expect, it } from "vitest";
import type { Store } from "../../src/commands/store.ts";
import { EngineError } from "../../src/rules/engine-error.ts";
import type { Settlement } from "../../src/rules/settlement.ts";
import type { Claim } from "../../src/store/claims.ts";
import { START } from "../harness.ts";
import { done, sleeps, waits } from "../inline/invocation.ts";
import { appendUnder, ended } from "./inlining.ts";
import { child, event, type Kit, LEASE, start, useStore } from "./kit.ts";

interface Case {
  /** Starts the run. By default a run that nobody has invoked. */
  readonly start?: (kit: Kit, id: string) => Promise<unknown>;
  /** Happens before the delivery is settled. */
  readonly before?: (kit: Kit, claim: Claim, id: string) => Promise<unknown>;
  readonly settlement: (id: string) => Settlement;
}

const PLAIN = (): Settlement => ended("returned", 1, done(1));

const CASES: Readonly<Record<string, Case>> = {
  "one record": { settlement: PLAIN },
  "no record": { settlement: () => ended("returned", 1) },
  "several records": { settlement: () => ended("returned", 1, done(1), done(2), done(3)) },
  "a record before": {
    before: ({ store }, claim) => appendUnder(store, claim, { after: 1, records: [done(1)] }),
    settlement: () => ended("returned", 2, done(2)),
  },
  "a record that is there already": {
    before: ({ store }, claim) => appendUnder(store, claim, { after: 1, records: [done(1)] }),
    settlement: PLAIN,
  },
  "news of the endpoint": {
    settlement: () => ({
      ...PLAIN(),
      capabilities: encodeCapabilities({ onCancel: true, retries: 7, timeout: 60 }),
      identified: true,
    }),
  },
  "an endpoint that is known by its answer": {
    settlement: () => ({
      ...PLAIN(),
      capabilities: encodeCapabilities({ onCancel: true }),
      identified: true,
    }),
  },
  "an open sleep": {
    before: ({ store }, claim) => appendUnder(store, claim, { after: 1, records: [sleeps(1, START + 5000)] }),
    settlement: () => ended("returned", 2, done(2)),
  },
  "an open wait": {
    before: ({ store }, claim, id) => appendUnder(store, claim, { after: 1, records: [waits(id, 1, "go")] }),
    settlement: () => ended("returned", 2),
  },
  "a sleep that it asks for": { settlement: () => ended("returned", 1, sleeps(1, START + 5000)) },
  "an event that came too early": {
    before: ({ store }, _claim, id) => store.notify(event("early", "data", id)),
    settlement: PLAIN,
  },
  "an event that it doesn't know": {
    before: async ({ store }, claim, id) => {
      await appendUnder(store, claim, { after: 1, records: [waits(id, 1, `go ${id}`)] });
      await store.notify(event(`go ${id}`, "data"));
    },
    settlement: () => ended("returned", 2),
  },
  "a history that it can't know": { settlement: () => ended("returned", 9) },
  "an invoker": {
    start: async (kit, id) => {
      await kit.accept(start(`${id}_parent`));
      await kit.accept(child(id, `${id}_parent`));
    },
    settlement: PLAIN,
  },
  "a lease that was given back": {
    before: ({ store }, { lease }) => store.release([lease]),
    settlement: PLAIN,
  },
  "a delivery that was cancelled": {
    before: ({ store }, { message }) => store.cancelMessage(message.id),
    settlement: PLAIN,
  },
  "a run that was cancelled": {
    before: ({ store }, _claim, id) => store.endRun(id, { state: "RUN_CANCELED", response: undefined }),
    settlement: PLAIN,
  },
  "another invocation that has appended": {
    before: ({ store }, claim) => appendUnder(store, claim, { after: 1, records: [done(1)] }),
    settlement: () => {
      const settlement = ended("returned", 2);
      if (settlement.kind !== "invocation") throw new TypeError("It isn't the end of an invocation.");
      return { ...settlement, invocation: { ...settlement.invocation, invocation: "another" } };
    },
  },
  "a run that goes on": { settlement: () => ended("continue", 1, done(1)) },
};

const KEYS = ["seq", "key", "entry", "run", "parent", "holder"];

/** Settlements that wait for a transaction at the same time may be stored together. */
export function endingTogether(name: string, open: () => Promise<Store>): void {
  describe(`${name}, runs that end together`, () => {
    const kit = useStore(open);

    const claimOf = async (id: string, { start: begin }: Case): Promise<Claim> => {
      await (begin ? begin(kit, id) : kit.accept(start(id)));
      const claims = (await kit.store.claim({ limit: 10, leaseUntil: START + LEASE })).claims;
      return claims.find(({ run }) => run?.id === id) as Claim;
    };

    const settle = (claim: Claim, settlement: Settlement): Promise<unknown> =>
      kit.store.settle(claim.lease, settlement).catch((error: unknown) => {
        if (error instanceof EngineError) return error.code;
        throw error;
      });

    /** All that shows of a run, without the ids and the keys of rows, which differ. */
    const shownOf = async (id: string, settled: unknown, { message }: Claim): Promise<unknown> => {
      const shown = {
        settled,
        end: await kit.store.runEnd({ id }),
        waits: (await kit.store.openWaits({ runIds: [id], count: 10 })).items,
        history: await kit.store.history(id).catch(() => "over"),
        message: await kit.store.message(message.id, START - 1).catch(() => "gone"),
      };
      const text = JSON.stringify(shown, (key, value) =>
        typeof value === "number" && KEYS.includes(key) ? 0 : value,
      );
      return JSON.parse(text.replaceAll(id, "id").replaceAll(/msg_[\w-]+/g, "msg"));
    };

    it("have the ends that they have one by one", async () => {
      const names = Object.keys(CASES);
      const alone: unknown[] = [];
      for (const [at, one] of Object.values(CASES).entries()) {
        const id = `wfr_a_${at}`;
        const claim = await claimOf(id, one);
        await one.before?.(kit, claim, id);
        alone.push(await shownOf(id, await settle(claim, one.settlement(id)), claim));
      }
      const idOf = (at: number): string => `wfr_b_${at}`;
      const claims: Claim[] = [];
      for (const [at, one] of Object.values(CASES).entries()) claims.push(await claimOf(idOf(at), one));
      for (const [at, { before }] of Object.values(CASES).entries())
        await before?.(kit, claims[at] as Claim, idOf(at));
      const settled = await Promise.all(
        Object.values(CASES).map((one, at) => settle(claims[at] as Claim, one.settlement(idOf(at)))),
      );
      for (const [at, name] of names.entries()) {
        const shown = await shownOf(idOf(at), settled[at], claims[at] as Claim);
        expect({ name, shown }).toEqual({ name, shown: alone[at] });
      }
      // Nothing is left to deliver of one that isn't left of the other.
      const { claims: left } = await kit
        .at(START + 120_000)
        .claim({ limit: 99, leaseUntil: START + 130_000 });
      const ids = left.map(({ run }) => run?.id ?? "");
      const of = (group: string): string[] =>
        ids.filter((id) => id.startsWith(`wfr_${group}`)).map((id) => id.replace(`wfr_${group}`, ""));
      expect(of("b").sort()).toEqual(of("a").sort());
    });

    it("tell the engine's observers the same, each once", async () => {
      const ids = Array.from({ length: 20 }, (_, at) => `wfr_${at}`);
      await kit.accept(...ids.map((id) => start(id)));
      const { claims } = await kit.claim(START, 20);
      // Arrives twice: one of the two settlements is stale.
      const twice = [...claims, claims[0] as Claim];
      const settled = await Promise.all(twice.map(({ lease }) => kit.store.settle(lease, PLAIN())));
      expect(settled.map(({ kind }) => kind).filter((kind) => kind === "stale")).toHaveLength(1);
      for (const type of ["step.recorded", "run.completed"] as const) {
        const told = kit.events(type).map(({ runId }) => runId);
        expect(told.sort()).toEqual([...ids].sort());
      }
    });
  });
}
