import { expect, it } from "vitest";
import { page } from "../../src/queries/conditions.ts";
import { Database } from "../../src/store/sqlite/database.ts";
import { mapInSlices } from "../../src/store/time-slices.ts";
import { type Sql, sql } from "../../src/store/tx.ts";
import { START } from "../harness.ts";
import { useCountingStore } from "./counting.ts";
import { append, start, waitFor } from "./kit.ts";

const kit = useCountingStore();

/** Things of each kind: more than a page has. */
const MANY = 2000;

/** Rows that may be read in one go: a page, and the row that says that another page follows. */
const AT_ONCE = 1001;

/** The numbers from 1, as a table `n`. */
const numbers: Sql = sql`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${MANY})`;

it("what may have thousands of rows isn't read in one go", async () => {
  const json = "{}";
  await kit.fill(sql`${numbers} INSERT INTO schedules (id, cron, destination, headers, body, created_at, caller_ip, limits)
    SELECT 's' || i, '0 0 1 1 *', 'https://a.test/', '[]', x'', ${START}, '::1', ${json} FROM n WHERE true`);
  await kit.fill(sql`${numbers} INSERT INTO url_groups (name, created_at, updated_at, endpoints, headers)
    SELECT 'g' || i, 0, 0, '[]', '[]' FROM n WHERE true`);
  await kit.fill(sql`${numbers} INSERT INTO queues (name, parallelism, paused, created_at, updated_at)
    SELECT 'q' || i, 1, 0, 0, 0 FROM n WHERE true`);
  await kit.fill(sql`${numbers} INSERT INTO flows (key, period) SELECT 'f' || i, 1000 FROM n WHERE true`);
  await kit.store.accept([start("wfr_1"), append("wfr_1", 1)]);
  await kit.store.wait(waitFor("wfr_1", "event"));
  await kit.fill(sql`${numbers} INSERT INTO entries (run, position, record, message, call_type, step, body, created_at)
    SELECT run, 10 + i, 'result ' || (10 + i), 'msg ' || i, call_type, step, body, created_at
    FROM entries, n WHERE run = 1 AND position = 2`);
  await kit.fill(sql`${numbers} INSERT INTO waiters (run, event, record, open, deadline, wait, created_at)
    SELECT run, CASE WHEN i % 4 > 0 THEN event END, 'record ' || i, 1, deadline, wait, created_at
    FROM waiters, n WHERE seq = 1`);
  await kit.fill(sql`${numbers} INSERT INTO rollbacks (run, step, record)
    SELECT 1, i, '{"stepId":1,"stepName":"a","stepType":"Run","state":"done","attempts":1}' FROM n WHERE true`);
  const { claims } = await kit.store.claim({ limit: 1, leaseUntil: START + 1000 });
  expect(claims).toHaveLength(1);
  const lists: Record<string, () => Promise<unknown>> = {
    schedules: () => kit.store.schedules(),
    "URL groups": () => kit.store.urlGroups(),
    queues: () => kit.store.queues(),
    flows: () => kit.store.flows(),
    waiters: () => kit.store.waiters("event"),
    logs: () => kit.store.runs({ count: 100 }),
    steps: () => kit.store.runSteps({ id: "wfr_1", count: 1000 }),
    overview: () => kit.store.runOverview({ id: "wfr_1" }),
    notify: () => kit.store.notify({ eventId: "event", data: new Uint8Array() }),
    cancel: () => kit.store.cancelRuns({ count: Number.MAX_SAFE_INTEGER - 1 }),
  };
  const read: Record<string, number> = {};
  for (const [name, ask] of Object.entries(lists)) read[name] = await kit.mostRowsOf(ask);
  expect(Object.entries(read).filter(([, rows]) => rows > AT_ONCE)).toEqual([]);
  expect(await kit.store.waiters("event")).toEqual([]);
});

it("others have their turns between any two rows of a long result", async () => {
  const database = new Database(":memory:");
  const query = sql`${numbers} SELECT i FROM n`;
  let pauses = 0;
  const pause = (): undefined => {
    pauses++;
  };
  for (let round = 1; round <= 2; round++) {
    const rows = await database.many<{ i: number }>(query, pause);
    expect(rows.map(({ i }) => i)).toEqual(Array.from({ length: MANY }, (_, at) => at + 1));
    expect(pauses).toBe(round * MANY);
  }
  await expect(database.many(sql`SELECT abs(-9223372036854775808)`, pause)).rejects.toThrow("overflow");
  await database.close();
});

it("two operations of a transaction may read by one statement at the same time", async () => {
  const database = new Database(":memory:");
  const after = (first: number): Promise<{ i: number }[]> =>
    database.many(sql`${numbers} SELECT i FROM n WHERE i > ${first}`, async () => {});
  const both = await Promise.all([after(MANY - 3), after(MANY - 2)]);
  expect(both.map((rows) => rows.map(({ i }) => i))).toEqual([
    [MANY - 2, MANY - 1, MANY],
    [MANY - 1, MANY],
  ]);
  await database.close();
});

it("and between any two items that the engine makes of them", async () => {
  let turns = 0;
  const items = await mapInSlices(
    [1, 2, 3],
    (item) => item * 2,
    async () => void turns++,
  );
  expect(items).toEqual([2, 4, 6]);
  expect(turns).toBe(3);
});

it("a page of runs has as many as have 10 000 entries together, and one at least", () => {
  const pageOf = (...lengths: readonly number[]): unknown => {
    const rows = lengths.map((entries, at) => ({ at, entries }));
    const { rows: shown, next } = page(
      rows,
      3,
      ({ at }) => at,
      ({ entries }) => ({ entries }),
    );
    return { shown: shown.length, next };
  };
  expect(pageOf(5000, 5000, 1)).toEqual({ shown: 2, next: 1 });
  expect(pageOf(10, 10, 10, 10)).toEqual({ shown: 3, next: 2 });
  expect(pageOf(30_000, 1)).toEqual({ shown: 1, next: 0 });
  expect(pageOf(30_000)).toEqual({ shown: 1, next: undefined });
});
