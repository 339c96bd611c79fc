import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Database } from "../../src/store/sqlite/database.ts";
import { Writer } from "../../src/store/sqlite/writer.ts";
import type { StateCount } from "../../src/store/upkeep.ts";
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
  let writer: Writer;

  beforeEach(() => {
    db = new Database(file);
    db.run("CREATE TABLE t (x INTEGER)");
    writer = new Writer(db);
  });
  afterEach(() => db.close());

  const insert = (x: number) => (): number => db.run("INSERT INTO t VALUES (?)", x).key;
  const rows = (): number[] => db.all<{ x: number }>("SELECT x FROM t ORDER BY x").map(({ x }) => x);

  it("that arrive together share a commit", async () => {
    await Promise.all(Array.from({ length: 100 }, (_, x) => writer.write(insert(x))));
    expect(rows()).toHaveLength(100);
    expect(writer.commits).toBe(1);
  });

  it("that are caused by others join them", async () => {
    let inner: Promise<number> | undefined;
    await writer.write(() => {
      inner = writer.write(insert(2));
      return insert(1)();
    });
    await inner;
    expect(rows()).toEqual([1, 2]);
    expect(writer.commits).toBe(1);
  });

  it("that fail take back only what they did", async () => {
    const outcomes = await Promise.allSettled([
      writer.write(insert(1)),
      writer.write(() => {
        insert(2)();
        throw new RangeError("no");
      }),
      writer.write(insert(3)),
    ]);
    expect(outcomes.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
    expect(rows()).toEqual([1, 3]);
  });

  it("are all told when the transaction can't be committed", async () => {
    const ended = (): never => {
      db.run("ROLLBACK");
      throw new RangeError("disk full");
    };
    const outcomes = await Promise.allSettled([
      writer.write(insert(1)),
      writer.write(ended),
      writer.write(insert(2)),
    ]);
    expect(outcomes).toMatchObject(
      Array.from({ length: 3 }, () => ({ status: "rejected", reason: { message: "disk full" } })),
    );
    expect(rows()).toEqual([]);
    await writer.write(insert(4));
    expect(rows()).toEqual([4]);
  });

  it("count what they did when it is on disk, and nothing that was taken back", async () => {
    const told: StateCount[] = [];
    db.tally.listen((counts) => told.push(...counts));
    const count = (times: number) => (): void =>
      db.tally.add({ of: "run", state: "RUN_STARTED", count: times });
    const failing =
      (times: number, end = "") =>
      (): never => {
        count(times)();
        if (end !== "") db.run(end);
        throw new RangeError("no");
      };
    await Promise.allSettled([writer.write(count(1)), writer.write(failing(10)), writer.write(count(2))]);
    expect(told.splice(0)).toEqual([{ of: "run", state: "RUN_STARTED", count: 3 }]);
    await Promise.allSettled([writer.write(count(4)), writer.write(failing(20, "ROLLBACK"))]);
    await writer.write(insert(1));
    expect(told).toEqual([]);
  });

  it("are on disk when they are acknowledged, and before the store is closed", async () => {
    const pending = writer.write(insert(7));
    writer.close();
    await pending;
    await expect(writer.write(insert(8))).rejects.toThrow("closed");
    expect(rows()).toEqual([7]);
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
  w.store.close();
});
