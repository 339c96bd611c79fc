import { newDatabase } from "@perdure/test-support/postgres-database";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Store } from "../../src/commands/store.ts";
import { createPostgresStore } from "../../src/open-postgres.ts";
import { readInlineAppend } from "../../src/rules/inline-append.ts";
import type { Claim } from "../../src/store/claims.ts";
import { migrations } from "../../src/store/migrations.ts";
import { ClientSession } from "../../src/store/postgres/client.ts";
import { PostgresDriver } from "../../src/store/postgres/driver.ts";
import { readLocation } from "../../src/store/postgres/location.ts";
import { migrate } from "../../src/store/postgres/migrate.ts";
import type { PostgresSession } from "../../src/store/postgres/session.ts";
import { START } from "../harness.ts";
import { done } from "../inline/invocation.ts";
import { appendUnder, ended } from "../store/inlining.ts";
import { LEASE, plain, start } from "../store/kit.ts";

// An engine waits for its database for longer than the database works: a figure that grows needs a reason, and one that shrinks
// is written down. It may be lower by chance, when answers come in pieces and the engine goes on before the last of them.

const location = readLocation(newDatabase());
const session = new ClientSession(location, { name: "test" });
let waiting = 0;
let trips = 0;
let statements = 0;
/** Counts statements, and the times at which one is sent while no other is under way. */
const counting: PostgresSession = {
  get losses() {
    return session.losses;
  },
  connect: () => session.connect(),
  async query(text, values) {
    if (waiting++ === 0) trips++;
    statements++;
    try {
      return await session.query(text, values);
    } finally {
      waiting--;
    }
  },
  close: () => session.close(),
};

let store: Omit<Store, "clock">;
beforeAll(async () => {
  await migrate(session, migrations("postgres"), location.schema);
  const driver = new PostgresDriver({ writers: [counting], readers: [counting] });
  driver.useClock(() => START);
  store = createPostgresStore(driver);
});
afterAll(() => store.close());

async function tripsOf(work: () => Promise<unknown>): Promise<number> {
  const before = trips;
  await work();
  return trips - before;
}

it("a run of two steps waits for the database so often at most", async () => {
  let claim: Claim | undefined;
  expect(await tripsOf(() => store.accept([start("wfr_1")]))).toBeLessThanOrEqual(2);
  const claimed = await tripsOf(async () => {
    [claim] = (await store.claim({ limit: 10, leaseUntil: START + LEASE })).claims;
  });
  expect(claimed).toBeLessThanOrEqual(4);
  const held = claim as Claim;
  const append = (id: number) => appendUnder(store, held, { after: id, records: [done(id)] });
  expect(await tripsOf(() => append(1))).toBe(1);
  expect(await tripsOf(() => append(2))).toBe(1);
  expect(await tripsOf(() => store.settle(held.lease, ended("returned", 3)))).toBe(1);
});

it("starts that arrive at the same time take no more statements than one", async () => {
  const ofStarts = async (ids: readonly string[]): Promise<number> => {
    const before = statements;
    expect(await tripsOf(() => Promise.all(ids.map((id) => store.accept([start(id)]))))).toBeLessThanOrEqual(
      2,
    );
    return statements - before;
  };
  const one = await ofStarts(["wfr_alone"]);
  expect(await ofStarts(Array.from({ length: 30 }, (_, at) => `wfr_beside_${at}`))).toBe(one);
  expect((await store.claim({ limit: 60, leaseUntil: START + LEASE })).claims).toHaveLength(31);
});

it("a batch waits no more often for thirty messages, or starts of runs, than for one", async () => {
  const thirty = Array.from({ length: 30 }, (_, at) => `wfr_batch_${at}`);
  expect(await tripsOf(() => store.accept(thirty.map(() => plain())))).toBeLessThanOrEqual(2);
  expect(await tripsOf(() => store.accept(thirty.map((id) => start(id))))).toBeLessThanOrEqual(2);
  const { claims } = await store.claim({ limit: 60, leaseUntil: START + LEASE });
  expect(claims.map(({ run }) => run?.id)).toEqual([...thirty.map(() => undefined), ...thirty]);
});

it("a claim or an append takes no more statements, and waits no more often, for thirty runs than for one", async () => {
  await store.accept(Array.from({ length: 30 }, (_, at) => start(`wfr_many_${at}`)));
  let claims: readonly Claim[] = [];
  const before = statements;
  const claimed = await tripsOf(async () => {
    ({ claims } = await store.claim({ limit: 30, leaseUntil: START + LEASE }));
  });
  expect(claims).toHaveLength(30);
  expect(claimed).toBeLessThanOrEqual(4);
  expect(statements - before).toBeLessThanOrEqual(10);
  const append = async (id: number): Promise<{ statements: number; trips: number }> => {
    const before = { statements, trips };
    const appends = claims.map(({ runLease }) => {
      const value = { lease: runLease, invocation: "1", after: id, records: [done(id)], underWay: [] };
      return readInlineAppend(value, { callerIp: "::1", now: START }, { retries: 999, batchItems: 100 });
    });
    const answers = await store.appendInline(appends);
    expect(answers).toEqual(claims.map(() => ({ news: [{ own: 0 }] })));
    return { statements: statements - before.statements, trips: trips - before.trips };
  };
  expect(await append(1)).toEqual({ statements: 1, trips: 1 });
  expect(await append(2)).toEqual({ statements: 1, trips: 1 });
});

it("appends of several requests that wait at the same time share statements", async () => {
  await store.accept(Array.from({ length: 20 }, (_, at) => start(`wfr_waiting_${at}`)));
  const { claims } = await store.claim({ limit: 20, leaseUntil: START + LEASE });
  const before = statements;
  const appends = claims.map((claim) => appendUnder(store, claim, { after: 1, records: [done(1)] }));
  // Two for the same run: the second one is repeated.
  const again = appendUnder(store, claims[0] as Claim, { after: 1, records: [done(1)] });
  expect(await Promise.all([...appends, again])).toEqual(
    [...claims, again].map(() => ({ news: [{ own: 0 }] })),
  );
  // One for those of twenty runs, and some for the repeated one, which needs a transaction.
  expect(statements - before).toBeLessThanOrEqual(8);
});
