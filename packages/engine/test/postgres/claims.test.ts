import { newDatabase } from "@perdure/test-support/postgres-database";
import { expect, it } from "vitest";
import { openPostgres } from "../../src/index.ts";
import { ClientSession } from "../../src/store/postgres/client.ts";
import { PostgresDriver } from "../../src/store/postgres/driver.ts";
import { readLocation } from "../../src/store/postgres/location.ts";
import { CLAIMABLE_MESSAGES } from "../../src/store/tables/rows.ts";
import { SKIP_LOCKED, sql } from "../../src/store/tx.ts";
import { START } from "../harness.ts";
import { delivered, LEASE, plain, start } from "../store/kit.ts";
import { withClient } from "./database.ts";

it("a claim reads the rows that it takes in their order, and sorts none of the others", async () => {
  const url = newDatabase();
  await (await openPostgres(url)).close();
  const session = new ClientSession(readLocation(url), { name: "test" });
  const driver = new PostgresDriver({ writers: [session], readers: [session] });
  const plan = await driver.write(async (tx) => {
    // The tables are empty, and the planner would read all of nothing.
    for (const way of ["seqscan", "bitmapscan", "hashjoin", "mergejoin"])
      await tx.run(sql`SELECT set_config(${`enable_${way}`}, 'off', true)`);
    return tx.all<object>(
      sql`EXPLAIN ${CLAIMABLE_MESSAGES} WHERE due.at <= ${tx.now} ORDER BY due.at, due.message LIMIT 32 ${SKIP_LOCKED}`,
    );
  });
  const text = JSON.stringify(plan);
  expect(text).toContain("Index Scan using due_at");
  expect(text).not.toContain("Sort");
  await driver.close();
});

it("a claim reads a run's history, however many entries other runs have, and before PostgreSQL has counted any", async () => {
  const url = newDatabase();
  const store = await openPostgres(url);
  store.useClock(() => START);
  await withClient(url, async (client) => {
    await client`ALTER TABLE entries SET (autovacuum_enabled = off)`;
    await client`INSERT INTO entries (run, position, record, message, call_type, body, created_at)
      SELECT -n, 1, 'init', 'msg', 'step', '', 1 FROM generate_series(1, 5000) AS numbers (n)`;
  });
  // PostgreSQL chooses the plan of a prepared statement after five executions.
  for (let at = 0; at < 10; at++) {
    await store.accept([start(`wfr_${at}`)]);
    expect((await store.claim({ limit: 1, leaseUntil: START + LEASE })).claims).toHaveLength(1);
  }
  // The server counts what a session has read at the session's end.
  await store.close();
  const read = await withClient(url, async (client) => {
    const [row] = await client<{ read: string }[]>`SELECT sum(idx_tup_read) AS read FROM pg_stat_user_indexes
      WHERE relname = 'entries' AND schemaname = current_schema`;
    return Number(row?.read);
  });
  expect(read).toBeLessThan(1000);
});

it("a settlement reads its own message, however many deliveries are in progress", async () => {
  const url = newDatabase();
  const store = await openPostgres(url);
  store.useClock(() => START);
  await store.accept(Array.from({ length: 200 }, () => plain()));
  const { claims } = await store.claim({ limit: 200, leaseUntil: START + LEASE });
  const readBy = async (): Promise<number> => {
    const [row] = await withClient(
      url,
      (client) => client<{ read: string }[]>`SELECT sum(seq_tup_read) AS read FROM pg_stat_user_tables
        WHERE relname IN ('due', 'messages') AND schemaname = current_schema`,
    );
    return Number(row?.read);
  };
  for (const { lease } of claims.slice(0, 50)) await store.settle(lease, delivered(START));
  await store.close();
  // The claim reads each message a few times, and a settlement none but its own.
  expect(await readBy()).toBeLessThan(2000);
});

/** Messages that have come into an empty table. */
const GROWN = 20_000;

it("claims don't go on reading a table that has grown, soon after it was empty", {
  timeout: 30_000,
}, async () => {
  const url = newDatabase();
  const store = await openPostgres(url);
  store.useClock(() => START);
  await withClient(url, async (client) => {
    for (const table of ["due", "messages"])
      await client`ALTER TABLE ${client(table)} SET (autovacuum_enabled = off)`;
    await client`VACUUM (ANALYZE) due, messages`;
  });
  const claimTwo = async () => {
    await store.accept([plain(), plain()]);
    const { claims } = await store.claim({ limit: 2, leaseUntil: START + LEASE });
    expect(claims).toHaveLength(2);
    for (const { lease } of claims) await store.settle(lease, delivered(START));
  };
  for (let at = 0; at < 10; at++) await claimTwo();
  await withClient(url, async (client) => {
    await client`INSERT INTO due (message, status, at, kind)
      SELECT -n, 'scheduled', ${START + 3_600_000}, 'message' FROM generate_series(1, ${GROWN}) AS numbers (n)`;
  });
  await new Promise((resolve) => setTimeout(resolve, 2500));
  for (let at = 0; at < 300; at++) await claimTwo();
  await store.close();
  const read = await withClient(url, async (client) => {
    const [row] = await client<{ read: string }[]>`SELECT sum(idx_tup_read) AS read FROM pg_stat_user_indexes
      WHERE relname = 'due' AND schemaname = current_schema`;
    return Number(row?.read);
  });
  // Each claim with the old plan reads all of it once or more.
  expect(read / GROWN).toBeLessThan(50);
});
