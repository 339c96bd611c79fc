import { newDatabase } from "@perdure/test-support/postgres-database";
import { afterEach, describe, expect, it } from "vitest";
import type { Store } from "../../src/commands/store.ts";
import { createPostgresStore } from "../../src/open-postgres.ts";
import type { EngineEvent } from "../../src/rules/event.ts";
import type { Settlement } from "../../src/rules/settlement.ts";
import type { Claim } from "../../src/store/claims.ts";
import type { StateCount } from "../../src/store/maintenance.ts";
import { migrations } from "../../src/store/migrations.ts";
import { ClientSession } from "../../src/store/postgres/client.ts";
import { PostgresDriver } from "../../src/store/postgres/driver.ts";
import { readLocation } from "../../src/store/postgres/location.ts";
import { migrate } from "../../src/store/postgres/migrate.ts";
import { START } from "../harness.ts";
import { done, waits } from "../inline/invocation.ts";
import { createdWebhook } from "../steps.ts";
import { appendUnder, ended } from "../store/inlining.ts";
import { append, child, event, LEASE, start, waitFor } from "../store/kit.ts";
import { withClient } from "./database.ts";

// Most runs end by one statement, which does what a settlement in a transaction does. Here both of them settle the same.

/** A driver on which each settlement is a transaction. */
class TransactionsOnly extends PostgresDriver {
  override get endAtOnce(): undefined {
    return undefined;
  }
}

interface Opened {
  readonly store: Omit<Store, "clock">;
  readonly url: string;
  readonly session: ClientSession;
  readonly events: EngineEvent[];
  readonly states: StateCount[];
}

const opened: Opened[] = [];
afterEach(() => Promise.all(opened.splice(0).map(({ store }) => store.close())));

async function open(Driver: typeof PostgresDriver): Promise<Opened> {
  const url = newDatabase();
  const location = readLocation(url);
  const session = new ClientSession(location, { name: "test" });
  await migrate(session, migrations("postgres"), location.schema);
  const driver = new Driver({ writers: [session], readers: [new ClientSession(location, { name: "test" })] });
  driver.useClock(() => START);
  const one: Opened = { store: createPostgresStore(driver), url, session, events: [], states: [] };
  driver.onEvent((happened) => one.events.push(happened));
  driver.onStates((counts) => one.states.push(...counts));
  opened.push(one);
  return one;
}

const claimAll = async (store: Opened["store"]): Promise<readonly Claim[]> =>
  (await store.claim({ limit: 10, leaseUntil: START + LEASE })).claims;

const TABLES = [
  ...[
    "runs",
    "run_leases",
    "entries",
    "messages",
    "due",
    "waiters",
    "events",
    "webhooks",
    "dlq",
    "logs",
    "run_labels",
  ],
];
/** Ids that are made by chance. */
const RANDOM = /msg_[\w-]{21}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g;

const withoutIds = (value: unknown): unknown =>
  typeof value === "string" ? value.replace(RANDOM, "id") : value;

async function rowsOf({ session }: Opened): Promise<Record<string, readonly unknown[]>> {
  const tables = TABLES.map(async (name) => {
    const { rows } = await session.query(`SELECT * FROM ${name} ORDER BY 1, 2`, []);
    const known = rows.map((row) =>
      Object.fromEntries(Object.entries(row as object).map(([column, value]) => [column, withoutIds(value)])),
    );
    return [name, known] as const;
  });
  return Object.fromEntries(await Promise.all(tables));
}

/** How often each state was counted. */
function totals(states: readonly StateCount[]): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const { of, state, count } of states) sums[`${of} ${state}`] = (sums[`${of} ${state}`] ?? 0) + count;
  return sums;
}

type Prepare = (store: Opened["store"], claim: Claim) => Promise<unknown>;
const nothing: Prepare = async () => {};
const returned = (after: number, ...records: Parameters<typeof ended>[2][]): Settlement => ({
  ...ended("returned", after, ...records),
  capabilities: "1",
  identified: true,
});

const SITUATIONS: Readonly<Record<string, readonly [Prepare, Settlement]>> = {
  "no step": [nothing, returned(1)],
  "steps in the answer": [nothing, returned(1, done(1), done(2))],
  "steps that were appended": [
    (store, claim) => appendUnder(store, claim, { after: 1, records: [done(1)] }),
    returned(2),
  ],
  "a step that is on record already": [
    (store, claim) => appendUnder(store, claim, { after: 1, records: [done(1)] }),
    returned(1, done(1)),
  ],
  "an endpoint with a policy": [
    nothing,
    { ...returned(1, done(1)), capabilities: "1, retries=7, timeout=60" },
  ],
  "an endpoint that says nothing of itself": [nothing, ended("returned", 1, done(1))],
  "an open wait": [
    (store, claim) => appendUnder(store, claim, { after: 1, records: [waits("wfr_1", 1, "go")] }),
    returned(2, done(2)),
  ],
  "an event that came too early": [(store) => store.notify(event("early", "x", "wfr_1")), returned(1)],
  "a webhook": [
    (store, claim) =>
      appendUnder(store, claim, { after: 1, records: [{ ...done(1), ...createdWebhook(1, "hook") }] }),
    returned(2),
  ],
  "a webhook in the answer": [nothing, returned(1, { ...done(1), ...createdWebhook(1, "hook") })],
  "a wait that an endpoint of another kind has begun": [
    (store) => store.wait(waitFor("wfr_1", "go")),
    returned(1),
  ],
  "another delivery": [(store) => store.accept([append("wfr_1", 1)]), returned(1)],
  "a lease that was given back": [(store, claim) => store.release([claim.lease]), returned(1)],
  "a run that was cancelled": [(store) => store.cancelRuns({ ids: ["wfr_1"], count: 10 }), returned(1)],
};

describe("a run that ends at once leaves what its settlement leaves, with", () => {
  it.each(Object.entries(SITUATIONS))("%s", async (_, [prepare, settlement]) => {
    const both = await Promise.all([open(PostgresDriver), open(TransactionsOnly)]);
    const seen = await Promise.all(
      both.map(async (one) => {
        await one.store.accept([start("wfr_1", { "Upstash-Label": "a" })]);
        const [claim] = (await claimAll(one.store)) as [Claim];
        await prepare(one.store, claim);
        const settled = await one.store.settle(claim.lease, settlement);
        return { settled, rows: await rowsOf(one), events: one.events, states: totals(one.states) };
      }),
    );
    expect(seen[0]).toEqual(seen[1]);
    expect(seen[0]?.rows.runs).toHaveLength(1);
  });
});

it("the end of an invoked run is recorded in its invoker", async () => {
  const { store } = await open(PostgresDriver);
  await store.accept([start("wfr_1")]);
  await claimAll(store);
  await store.accept([child("wfr_2", "wfr_1")]);
  const [claim] = (await claimAll(store)) as [Claim];
  await store.settle(claim.lease, returned(1));
  expect(await store.history("wfr_1")).toHaveLength(2);
});

it("ends that wait at the same time share a statement, and one that can't be stored fails alone", async () => {
  const { store, events, session } = await open(PostgresDriver);
  const ids = ["wfr_1", "wfr_2", "wfr_3"];
  await store.accept(ids.map((id) => start(id)));
  const claims = await claimAll(store);
  const broken = { ...(claims[1] as Claim).lease, seq: 1e30 };
  const leases = claims.map(({ lease }, at) => (at === 1 ? broken : lease));
  const settled = await Promise.allSettled(leases.map((lease) => store.settle(lease, returned(1, done(1)))));
  expect(settled.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
  const { rows } = await session.query("SELECT id, state FROM runs ORDER BY id", []);
  expect(rows).toEqual(ids.map((id) => ({ id, state: id === "wfr_2" ? "RUN_STARTED" : "RUN_SUCCESS" })));
  expect(events.filter(({ type }) => type === "run.completed")).toHaveLength(2);
});

it("a run whose lock another transaction has is settled after it, with what that has stored", async () => {
  const { store, url, session } = await open(PostgresDriver);
  await store.accept([start("wfr_1")]);
  const [claim] = (await claimAll(store)) as [Claim];
  await withClient(url, async (client) => {
    let settled: Promise<unknown> | undefined;
    await client.begin(async (tx) => {
      await tx`SELECT pg_advisory_xact_lock(hashtext(current_schema || 'run'), hashtext('wfr_1'))`;
      settled = store.settle(claim.lease, returned(1));
      await expect
        .poll(
          () => client`SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
        )
        .toHaveLength(1);
      await tx`INSERT INTO events (run, event, data, created_at) SELECT key, 'late', '', 1 FROM runs`;
    });
    expect(await settled).toEqual({ kind: "recorded" });
  });
  const { rows } = await session.query("SELECT state, (SELECT count(*) FROM events) AS events FROM runs", []);
  expect(rows).toEqual([{ state: "RUN_SUCCESS", events: 0 }]);
});

it("ends that share a statement lock their messages in the order of these, as renewals do", async () => {
  const { store, url } = await open(PostgresDriver);
  await store.accept([start("wfr_1"), start("wfr_2"), start("wfr_3")]);
  const claims = await claimAll(store);
  await withClient(url, async (client) => {
    let settled: Promise<unknown> | undefined;
    await client.begin(async (tx) => {
      await tx`SELECT 1 FROM due WHERE message = (SELECT min(message) FROM due) FOR UPDATE`;
      settled = Promise.all(claims.toReversed().map(({ lease }) => store.settle(lease, returned(1))));
      await expect
        .poll(
          () => client`SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()
            AND query LIKE 'WITH found%'`,
        )
        .toHaveLength(1);
      await tx`SELECT 1 FROM due FOR UPDATE NOWAIT`;
    });
    expect(await settled).toEqual(claims.map(() => ({ kind: "recorded" })));
  });
});
