import { newDatabase } from "@perdure/test-support/postgres-database";
import type postgres from "postgres";
import { afterEach, beforeEach, expect, it } from "vitest";
import { openPostgres, type PostgresStore } from "../../src/open-postgres.ts";
import type { Claim } from "../../src/store/claims.ts";
import { START } from "../harness.ts";
import { done } from "../inline/invocation.ts";
import { ended } from "../store/inlining.ts";
import { LEASE, start } from "../store/kit.ts";
import { withClient } from "./database.ts";

// A plan that was made while a table was empty is kept for a moment while the table grows: it must not read the rows of all other
// runs then. The server counts what is read of each index.

/** Rows of other runs. */
const MANY = 5000;
/** Entries of an index that an operation may read of one run. */
const FEW = 20;

let url: string;
let store: PostgresStore;
beforeEach(async () => {
  url = newDatabase();
  // One connection writes, and plans.
  store = await openPostgres(`${url}${url.includes("?") ? "&" : "?"}connections=5`);
  store.useClock(() => START);
});
afterEach(() => store.close());

/** What the work reads of each index of a table. */
function readOf(table: string, work: () => Promise<unknown>): Promise<Record<string, number>> {
  return withClient(url, async (sql) => {
    await told();
    const before = await countsOf(sql, table);
    await work();
    await told();
    const after = await countsOf(sql, table);
    return Object.fromEntries(
      Object.entries(after).map(([index, count]) => [index, count - (before[index] ?? 0)]),
    );
  });
}

/** A session tells what it has read at the end of a transaction, once a second. */
async function told(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 1100));
  await store.probe();
}

async function countsOf(sql: postgres.Sql, table: string): Promise<Record<string, number>> {
  const rows = await sql<{ name: string; read: string }[]>`SELECT indexrelname AS name, idx_tup_read AS read
    FROM pg_stat_user_indexes WHERE relname = ${table} AND schemaname = current_schema`;
  return Object.fromEntries(rows.map(({ name, read }) => [name, Number(read)]));
}

const fill = (...statements: readonly string[]): Promise<void> =>
  withClient(url, async (sql) => {
    for (const statement of statements) await sql.unsafe(statement);
  });

/** Has the server plan the statements of some work: it does so at the second time. */
async function planned(work: (nth: number) => Promise<unknown>): Promise<void> {
  for (let nth = 0; nth < 3; nth++) await work(nth);
}

async function claimed(id: string): Promise<Claim> {
  await store.accept([start(id)]);
  return (await store.claim({ limit: 1, leaseUntil: START + LEASE })).claims[0] as Claim;
}

const end = ({ lease }: Claim): Promise<unknown> => store.settle(lease, ended("returned", 1, done(1)));

it("the end of a run reads no waits of other runs", async () => {
  await planned(async (nth) => end(await claimed(`wfr_planned_${nth}`)));
  const claim = await claimed("wfr_1");
  await fill(`INSERT INTO waiters (run, event, record, open, deadline, wait, created_at)
    SELECT -n, 'e', 'r', 1, 9e15, '{}', 1 FROM generate_series(1, ${MANY}) AS n`);
  const read = await readOf("waiters", () => end(claim));
  expect(Math.max(...Object.values(read))).toBeLessThan(FEW);
});

it.each([1, 20])("the start of %d runs at once reads no runs of other ids", async (count) => {
  const starts = (name: string) => Array.from({ length: count }, (_, at) => start(`wfr_${name}_${at}`));
  await planned((nth) => store.accept(starts(`planned_${nth}`)));
  await fill(`INSERT INTO runs (id, url, host, path, state, created_at, completed_at, caller_ip, config, awaiting_configuration)
    SELECT 'wfr_old_' || n, 'u', 'h', 'p', 'RUN_SUCCESS', 1, 1, '::1', '{}', 0 FROM generate_series(1, ${MANY}) AS n`);
  const read = await readOf("runs", () => store.accept(starts("new")));
  expect(Math.max(...Object.values(read))).toBeLessThan(FEW * count);
});
