import type { InlineAnswer } from "@perdure/core/protocol";
import { newDatabase } from "@perdure/test-support/postgres-database";
import type postgres from "postgres";
import { afterEach, beforeEach, expect, it } from "vitest";
import { openPostgres, type PostgresStore } from "../../src/open-postgres.ts";
import type { Claim } from "../../src/store/claims.ts";
import { START } from "../harness.ts";
import { done } from "../inline/invocation.ts";
import { appendOf, appendUnder } from "../store/inlining.ts";
import { LEASE, start } from "../store/kit.ts";
import { withClient } from "./database.ts";

// One statement checks the lease and stores the records. Its view of the tables is as old as its beginning: these tests let others
// change the run between that and the moment at which the statement writes.

let url: string;
let store: PostgresStore;
let claim: Claim;
const retries: string[] = [];

beforeEach(async () => {
  url = newDatabase();
  store = await openPostgres(url);
  store.useClock(() => START);
  retries.length = 0;
  store.onStates((counts) => {
    for (const { of, state } of counts) if (of === "retry") retries.push(state);
  });
  await store.accept([start("wfr_1")]);
  [claim] = (await store.claim({ limit: 1, leaseUntil: START + LEASE })).claims as [Claim];
});
afterEach(() => store.close());

/** Appends while another transaction has the row of the lease, which changes something before it ends. */
function appendBeside(change: (sql: postgres.TransactionSql) => Promise<unknown>): Promise<InlineAnswer> {
  return withClient(url, async (client) => {
    let answer: Promise<InlineAnswer> | undefined;
    await client.begin(async (tx) => {
      await tx`SELECT 1 FROM run_leases FOR UPDATE`;
      answer = appendUnder(store, claim, { after: 1, records: [done(1)] });
      await expect
        .poll(
          () => client`SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()
            AND query LIKE 'WITH found%' AND pid IN (SELECT pid FROM pg_locks WHERE relation = 'run_leases'::regclass)`,
        )
        .toHaveLength(1);
      await change(tx);
    });
    return answer as Promise<InlineAnswer>;
  });
}

const addOther = (
  sql: postgres.TransactionSql,
) => sql`INSERT INTO entries (run, position, record, message, call_type, body, created_at)
  SELECT run, 2, 'other', 'msg_other', 'step', 'other', 1 FROM run_leases`;

it("an entry that comes while the statement waits keeps its place, and the invocation learns of it", async () => {
  const answer = await appendBeside(addOther);
  expect(answer).toMatchObject({ news: [{ entry: { messageId: "msg_other" } }, { own: 0 }] });
  expect(retries).toEqual(["duplicate"]);
  expect(await store.history("wfr_1")).toHaveLength(3);
});

it("a lease that ends while the statement waits is lost, and nothing is stored", async () => {
  const answer = await appendBeside((sql) => sql`UPDATE run_leases SET holder = NULL`);
  expect(answer).toEqual({ error: "lease_lost" });
  expect(await store.history("wfr_1")).toHaveLength(1);
});

it("an append waits for a transaction that has the lock of its run, and learns what that has stored", async () => {
  const answer = await withClient(url, async (client) => {
    let appended: Promise<InlineAnswer> | undefined;
    await client.begin(async (tx) => {
      await tx`SELECT pg_advisory_xact_lock(hashtext(current_schema || 'run'), hashtext('wfr_1'))`;
      appended = appendUnder(store, claim, { after: 1, records: [done(1)] });
      await expect
        .poll(
          () => client`SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
          AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
        )
        .toHaveLength(1);
      await addOther(tx);
    });
    return appended;
  });
  expect(answer).toMatchObject({ news: [{ entry: { messageId: "msg_other" } }, { own: 0 }] });
  expect(retries).toEqual([]);
});

it("a request stores its simple appends at once, and the others after them, with the answers in their places", async () => {
  await store.accept([start("wfr_2"), start("wfr_3")]);
  const { claims } = await store.claim({ limit: 2, leaseUntil: START + LEASE });
  const [second, third] = claims as [Claim, Claim];
  expect(await appendUnder(store, second, { after: 1, records: [done(1)] })).toEqual({ news: [{ own: 0 }] });
  const together = [claim, second, third].map((one) =>
    appendOf(one, { after: 1, records: [done(1), done(2)] }),
  );
  const news = { news: [{ own: 0 }, { own: 1 }] };
  expect(await store.appendInline(together)).toEqual([news, news, news]);
  for (const run of ["wfr_1", "wfr_2", "wfr_3"]) expect(await store.history(run)).toHaveLength(3);
  // Each of them again.
  expect(await store.appendInline(together)).toEqual([news, news, news]);
});
