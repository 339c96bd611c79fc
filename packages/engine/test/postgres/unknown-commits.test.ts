import { newDatabase } from "@perdure/test-support/postgres-database";
import { afterEach, beforeEach, expect, it } from "vitest";
import { openPostgres, type PostgresStore } from "../../src/open-postgres.ts";
import type { Settlement } from "../../src/rules/settlement.ts";
import type { Claim } from "../../src/store/claims.ts";
import { CommitUnknown } from "../../src/store/unavailable.ts";
import { START } from "../harness.ts";
import { done } from "../inline/invocation.ts";
import { ended } from "../store/inlining.ts";
import { delivered, LEASE, plain, start } from "../store/kit.ts";
import { withClient } from "./database.ts";

// A connection that is lost during a commit leaves open whether the transaction has happened. Here the server ends the connection
// while the commit waits, so that it hasn't.

let url: string;
let store: PostgresStore;
beforeEach(async () => {
  url = newDatabase();
  store = await openPostgres(url);
  store.useClock(() => START);
});
afterEach(() => store.close());

/** Does the work, and ends the first connection on which a commit of it is under way. */
function cutOffAtCommit<T>(work: () => Promise<T>): Promise<T> {
  return withClient(url, async (sql) => {
    await sql`CREATE TABLE slow (commits int)`;
    await sql`CREATE FUNCTION wait_if_slow() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN IF EXISTS (SELECT 1 FROM slow) THEN PERFORM pg_sleep(20); END IF; RETURN NULL; END $$`;
    await sql`CREATE CONSTRAINT TRIGGER slow AFTER INSERT OR UPDATE ON messages DEFERRABLE INITIALLY DEFERRED
      FOR EACH ROW EXECUTE FUNCTION wait_if_slow()`;
    await sql`INSERT INTO slow VALUES (1)`;
    const working = work();
    // The test waits for it below.
    working.catch(() => {});
    const commits = () => sql`SELECT pid FROM pg_stat_activity
      WHERE datname = current_database() AND query = 'COMMIT' AND wait_event = 'PgSleep'`;
    await expect.poll(commits).toHaveLength(1);
    await sql`DELETE FROM slow`;
    for (const { pid } of await commits()) await sql`SELECT pg_terminate_backend(${pid})`;
    return working;
  });
}

async function claimOne(): Promise<Claim> {
  return (await store.claim({ limit: 1, leaseUntil: START + LEASE })).claims[0] as Claim;
}

it.each<[string, () => Parameters<typeof store.accept>[0][number], Settlement]>([
  ["of a run that ends at once", () => start("wfr_1"), ended("returned", 1, done(1))],
  ["in a transaction", () => plain(), delivered(START)],
])("a settlement %s is done again, before its lease ends", async (_, command, settlement) => {
  await store.accept([command()]);
  const { lease } = await claimOne();
  expect(await cutOffAtCommit(() => store.settle(lease, settlement))).toEqual({ kind: "recorded" });
  expect(await store.settle(lease, settlement)).toEqual({ kind: "stale" });
});

it("a request is refused, and its client may repeat it with the same id", async () => {
  await expect(cutOffAtCommit(() => store.accept([start("wfr_1")]))).rejects.toBeInstanceOf(CommitUnknown);
  await store.accept([start("wfr_1")]);
  expect((await claimOne()).run?.id).toBe("wfr_1");
});
