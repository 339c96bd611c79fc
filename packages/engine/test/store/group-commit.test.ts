import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { EngineEvent } from "../../src/rules/event.ts";
import { GroupCommit } from "../../src/store/group-commit.ts";
import type { StateCount } from "../../src/store/maintenance.ts";
import { Database } from "../../src/store/sqlite/database.ts";
import { type Sql, sql, type Tx } from "../../src/store/tx.ts";
import { sequence, world } from "../harness.ts";

let folder: string;
let file: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "perdure-"));
  file = join(folder, "a.db");
});
afterEach(() => rmSync(folder, { recursive: true }));

describe("writes", () => {
  let db: Database;
  let driver: GroupCommit;

  beforeEach(async () => {
    db = new Database(file);
    await db.run(sql`CREATE TABLE t (x INTEGER)`);
    driver = new GroupCommit(db);
  });
  afterEach(() => driver.close());

  const insert =
    (x: number) =>
    (tx: Tx): Promise<number> =>
      tx.run(sql`INSERT INTO t VALUES (${x})`);
  const rows = async (): Promise<number[]> =>
    (await db.all<{ x: number }>(sql`SELECT x FROM t ORDER BY x`)).map(({ x }) => x);

  it("that arrive together share a commit", async () => {
    await Promise.all(Array.from({ length: 100 }, (_, x) => driver.write(insert(x))));
    expect(await rows()).toHaveLength(100);
    expect(driver.commits).toBe(1);
  });

  it("that are caused by others join them", async () => {
    let inner: Promise<number> | undefined;
    await driver.write((tx) => {
      inner = driver.write(insert(2));
      return insert(1)(tx);
    });
    await inner;
    expect(await rows()).toEqual([1, 2]);
    expect(driver.commits).toBe(1);
  });

  it("that fail take back only what they did", async () => {
    const outcomes = await Promise.allSettled([
      driver.write(insert(1)),
      driver.write(async (tx) => {
        await insert(2)(tx);
        throw new RangeError("no");
      }),
      driver.write(insert(3)),
    ]);
    expect(outcomes.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
    expect(await rows()).toEqual([1, 3]);
  });

  it("are all told when the transaction can't be committed", async () => {
    const ended = async (): Promise<never> => {
      await db.run(sql`ROLLBACK`);
      throw new RangeError("disk full");
    };
    const outcomes = await Promise.allSettled([
      driver.write(insert(1)),
      driver.write(ended),
      driver.write(insert(2)),
    ]);
    expect(outcomes).toMatchObject(
      Array.from({ length: 3 }, () => ({ status: "rejected", reason: { message: "disk full" } })),
    );
    expect(await rows()).toEqual([]);
    await driver.write(insert(4));
    expect(await rows()).toEqual([4]);
  });

  it("count what they did when it is on disk, and nothing that was taken back", async () => {
    const told: StateCount[] = [];
    driver.onStates((counts) => told.push(...counts));
    const count =
      (times: number) =>
      async (tx: Tx): Promise<void> =>
        tx.count({ of: "run", state: "RUN_STARTED", count: times });
    const failing =
      (times: number, end?: Sql) =>
      async (tx: Tx): Promise<never> => {
        await count(times)(tx);
        if (end) await db.run(end);
        throw new RangeError("no");
      };
    await Promise.allSettled([driver.write(count(1)), driver.write(failing(10)), driver.write(count(2))]);
    expect(told.splice(0)).toEqual([{ of: "run", state: "RUN_STARTED", count: 3 }]);
    await Promise.allSettled([driver.write(count(4)), driver.write(failing(20, sql`ROLLBACK`))]);
    await driver.write(insert(1));
    expect(told).toEqual([]);
  });

  it("tell of their events when they are on disk, and of none that were taken back", async () => {
    const told: EngineEvent[] = [];
    const seen: number[] = [];
    driver.onEvent((event) => told.push(event));
    const recording =
      (x: number, fails = false) =>
      async (tx: Tx): Promise<void> => {
        await insert(x)(tx);
        tx.record({ type: "run.canceled", runId: `wfr_${x}`, ms: 0 });
        seen.push(told.length);
        if (fails) throw new RangeError("no");
      };
    const writes = [driver.write(recording(1)), driver.write(recording(2, true)), driver.write(recording(3))];
    await Promise.allSettled(writes);
    expect(told).toEqual([
      { type: "run.canceled", runId: "wfr_1", ms: 0 },
      { type: "run.canceled", runId: "wfr_3", ms: 0 },
    ]);
    expect(seen).toEqual([0, 0, 0]);
  });

  it.each(["write", "read"] as const)("that take long let others have their turns: a %s", async (kind) => {
    let others = false;
    const seen = await driver[kind](async (tx) => {
      setImmediate(() => {
        others = true;
      });
      for (let statement = 0; !others && statement < 100_000; statement++) await tx.one(sql`SELECT 1 AS x`);
      return others;
    });
    expect(seen).toBe(true);
  });

  it("have the time at which they were asked for", async () => {
    let now = 1;
    driver.useClock(() => now);
    const writes = [0, 1].map(() => {
      now++;
      return driver.write(async (tx) => tx.now);
    });
    now = 9;
    expect(await Promise.all(writes)).toEqual([2, 3]);
    expect(await driver.read(async (tx) => tx.now)).toBe(9);
  });

  it("see nothing of one another before they are on disk", async () => {
    const seen: number[] = [];
    const count = async (tx: Tx): Promise<void> => {
      seen.push((await tx.all(sql`SELECT x FROM t`)).length);
    };
    let inner: Promise<void> | undefined;
    await Promise.all([
      driver.write(async (tx) => {
        await insert(1)(tx);
        inner = driver.read(count);
        await insert(2)(tx);
      }),
      driver.read(count),
    ]);
    await inner;
    expect(seen).toEqual([0, 2]);
  });

  it("are on disk when they are acknowledged, and before the store is closed", async () => {
    const pending = driver.write(insert(7));
    await driver.close();
    await pending;
    await expect(driver.write(insert(8))).rejects.toThrow("closed");
    db = new Database(file);
    expect(await rows()).toEqual([7]);
    await db.close();
  });
});

it("an engine's runs commit together: far less often than they take steps", async () => {
  const w = world(sequence(10), { file, concurrency: 100 });
  const runs = 100;
  await Promise.all(Array.from({ length: runs }, (_, at) => w.start(`wfr_${at}`)));
  await w.engine.idle();
  expect(w.events.filter((event) => event.type === "run.completed")).toHaveLength(runs);
  // Each of a run's ten steps is claimed, recorded and settled.
  expect(w.store.commits).toBeLessThan((runs * 30) / 5);
  await w.store.close();
});
