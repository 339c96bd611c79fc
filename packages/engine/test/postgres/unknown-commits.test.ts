import { HEADER } from "@perdure/core/protocol";
import { newDatabase } from "@perdure/test-support/postgres-database";
import { afterEach, beforeEach, expect, it } from "vitest";
import { openPostgres, type PostgresStore } from "../../src/open-postgres.ts";
import type { Settlement } from "../../src/rules/settlement.ts";
import type { Claim } from "../../src/store/claims.ts";
import { CommitUnknown } from "../../src/store/unavailable.ts";
import { START, world } from "../harness.ts";
import { done } from "../inline/invocation.ts";
import { ended } from "../store/inlining.ts";
import { delivered, LEASE, plain, start } from "../store/kit.ts";
import { withClient } from "./database.ts";
import { startRelay } from "./relay.ts";

// A connection that is lost during a commit leaves open whether the transaction has happened: it hasn't if the server ends the
// connection while the commit waits, and it has if the network does.

let url: string;
let store: PostgresStore;
beforeEach(async () => {
  url = newDatabase();
  store = await openPostgres(url);
  store.useClock(() => START);
});
afterEach(() => store.close());

/** Does the work, and calls `end` while the first commit of it that changes a table waits. */
function atCommit<T>(table: string, work: () => Promise<T>, end: (pid: number) => unknown): Promise<T> {
  return withClient(url, async (sql) => {
    await sql`CREATE TABLE slow (commits int)`;
    await sql`CREATE FUNCTION wait_if_slow() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN IF EXISTS (SELECT 1 FROM slow) THEN PERFORM pg_sleep(2); END IF; RETURN NULL; END $$`;
    await sql`CREATE CONSTRAINT TRIGGER slow AFTER INSERT OR UPDATE ON ${sql(table)} DEFERRABLE INITIALLY DEFERRED
      FOR EACH ROW EXECUTE FUNCTION wait_if_slow()`;
    await sql`INSERT INTO slow VALUES (1)`;
    const working = work();
    // The test waits for it below.
    working.catch(() => {});
    const commits = () => sql`SELECT pid FROM pg_stat_activity
      WHERE datname = current_database() AND query = 'COMMIT' AND wait_event = 'PgSleep'`;
    await expect.poll(commits).toHaveLength(1);
    await sql`DELETE FROM slow`;
    for (const { pid } of await commits()) await end(pid);
    return working;
  });
}

/** Does the work, and ends the first connection on which a commit of it is under way: the commit doesn't happen. */
const cutOffAtCommit = <T>(work: () => Promise<T>): Promise<T> =>
  atCommit("messages", work, (pid) => withClient(url, (sql) => sql`SELECT pg_terminate_backend(${pid})`));

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

it("what a claim has leased is given back at once, when the claim has happened and its answer is lost", async () => {
  const relay = await startRelay(url);
  const behind = await openPostgres(relay.url);
  const w = world(undefined, { opened: behind });
  const publish = (path: string, delay: string): ReturnType<typeof w.ask> =>
    w.ask("POST", `/v2/publish/https://a.test/${path}`, { headers: { [HEADER.delay]: delay } });
  await publish("later", "1s");
  await w.engine.idle();
  const faults = () => w.events.flatMap((event) => (event.type === "fault" ? event.during : []));
  await atCommit(
    "due",
    async () => w.clock.advance(1000),
    () => relay.cut(),
  );
  const leased = () => withClient(url, (sql) => sql`SELECT 1 FROM due WHERE status = 'delivering'`);
  await expect.poll(leased).toHaveLength(1);
  await expect.poll(faults).toEqual(["claiming"]);
  // A lease takes longer than the pause after a fault.
  await w.engine.idle();
  w.clock.advance(1000);
  await expect.poll(() => w.calls.length).toBe(1);
  await w.engine.idle();
  expect(w.calls.map(({ headers }) => headers.get(HEADER.retried))).toEqual(["0"]);
  expect(faults()).toEqual(["claiming"]);
  await w.engine.stop();
  await behind.close();
  await relay.stop();
});
