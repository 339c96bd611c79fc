import { HEADER } from "@perdure/core/protocol";
import { describe, expect, it } from "vitest";
import { createMetrics } from "../../src/cli/metrics.ts";
import { createOperations, type Operations } from "../../src/cli/operations.ts";
import { createSqliteStore, type SqliteStore } from "../../src/open-sqlite.ts";
import { GroupCommit } from "../../src/store/group-commit.ts";
import { Database } from "../../src/store/sqlite/database.ts";
import { sql } from "../../src/store/tx.ts";
import { useMachine } from "../crashing.ts";
import { ok, type World, type WorldOptions, world } from "../harness.ts";

const machine = useMachine();

interface Disk {
  readonly store: SqliteStore;
  /** Lets the database grow by a number of pages of 4 KiB, and no further. */
  allow(pages: number): Promise<void>;
  /** Whether it may be written at all: SQLite then says what it says of a file system that became read-only. */
  protect(on: boolean): Promise<void>;
}

/** A database on a disk of which a test says how much is free. */
function useDisk(): Disk {
  const database = new Database(machine().file);
  const store = createSqliteStore(new GroupCommit(database));
  return {
    store,
    async allow(pages) {
      const size = await database.one<{ page_count: number }>(sql`PRAGMA page_count`);
      const most = (size?.page_count ?? 0) + pages;
      // PRAGMA takes no parameters.
      await database.all({ strings: [`PRAGMA max_page_count = ${most}`], parts: [] });
    },
    async protect(on) {
      await database.all(on ? sql`PRAGMA query_only = 1` : sql`PRAGMA query_only = 0`);
    },
  };
}

const publish = (w: World, bytes: number) =>
  w.ask("POST", "/v2/publish/https://a.test/", {
    headers: { [HEADER.delay]: "1d" },
    body: "x".repeat(bytes),
  });

function bootOn(disk: Disk, options: WorldOptions = {}): World {
  // The store has no thread that would fill the index of the search, so the engine would report a fault of its own.
  return world(() => ok(), { search: false, ...options, opened: disk.store });
}

function operationsOf(disk: Disk): Operations {
  const api = async (): Promise<Response> => new Response();
  return createOperations({ api, stores: [disk.store], metrics: createMetrics(), metricsToken: undefined });
}

const readiness = async (disk: Disk): Promise<Response> =>
  operationsOf(disk).fetch(new Request("http://engine.test/ready"), {});

describe("a disk that is full", () => {
  it("has requests answered with 503 and Retry-After, stores nothing by halves, and is told of once", async () => {
    const disk = useDisk();
    const w = bootOn(disk);
    expect((await publish(w, 100)).status).toBe(200);
    await disk.allow(3);
    for (let i = 0; i < 3; i++) {
      const refused = await publish(w, 100_000);
      expect(refused).toMatchObject({ status: 503, body: { error: expect.stringContaining("database") } });
      expect(refused.headers.get("Retry-After")).toBe("5");
    }
    const start = await w.start("wfr_1", {}, "x".repeat(100_000));
    expect(start.status).toBe(503);
    expect(w.events.filter(({ type }) => type === "fault")).toMatchObject([
      {
        during: "storing",
        error: { message: expect.stringMatching(/engine\.db can't be used: its disk is full/) },
      },
    ]);
    expect((await w.ask("GET", "/v2/logs")).body.logs).toHaveLength(1);
    expect(await w.run("wfr_1")).toBeUndefined();
    await disk.allow(1000);
    expect((await publish(w, 100_000)).status).toBe(200);
    await w.engine.stop();
    await disk.store.close();
  });

  it("is no reason to lose what is there: it is delivered when there is room again", async () => {
    const disk = useDisk();
    const w = bootOn(disk);
    await publish(w, 100);
    await disk.allow(0);
    for (let i = 0; i < 20 && (await publish(w, 1000)).status === 200; i++);
    expect((await publish(w, 100_000)).status).toBe(503);
    w.clock.advance(86_400_000);
    await w.engine.idle();
    await disk.allow(1000);
    await w.drain();
    expect(w.calls.length).toBeGreaterThan(0);
    expect((await w.ask("GET", "/v2/logs?state=DELIVERED")).body.logs).toHaveLength(w.calls.length);
    await w.engine.stop();
    await disk.store.close();
  });

  it("is said by /ready, until there is room", async () => {
    const disk = useDisk();
    await disk.allow(0);
    const full = await readiness(disk);
    expect(full.status).toBe(503);
    expect(full.headers.get("Retry-After")).toBe("5");
    expect(await full.json()).toEqual({ error: "nothing can be stored" });
    await disk.allow(100);
    expect((await readiness(disk)).status).toBe(200);
    await disk.store.close();
    expect((await readiness(disk)).status).toBe(503);
  });

  it("isn't written to by each request that asks whether it is full", async () => {
    const disk = useDisk();
    const operations = operationsOf(disk);
    const ask = () => operations.fetch(new Request("http://engine.test/ready"), {});
    await ask();
    const { commits } = disk.store;
    const answers = await Promise.all(Array.from({ length: 20 }, ask));
    expect(answers.map(({ status }) => status)).toEqual(Array(20).fill(200));
    expect(disk.store.commits).toBe(commits);
    await disk.store.close();
  });
});

describe("a disk that becomes read-only", () => {
  it("has requests answered with 503 and Retry-After, and /ready says no, until it can be written", async () => {
    const disk = useDisk();
    const w = bootOn(disk);
    await disk.protect(true);
    for (let i = 0; i < 3; i++) {
      const refused = await publish(w, 100);
      expect(refused.status).toBe(503);
      expect(refused.headers.get("Retry-After")).toBe("5");
    }
    expect(w.events).toMatchObject([
      { type: "fault", error: { message: expect.stringMatching(/it is read-only\)\.$/) } },
    ]);
    expect((await readiness(disk)).status).toBe(503);
    expect((await w.ask("GET", "/v2/logs")).body.logs).toEqual([]);
    // What the dispatcher notices is the same fault: one line a minute says it.
    for (let seconds = 0; seconds < 59; seconds++) {
      w.clock.advance(1000);
      await w.engine.idle();
    }
    expect(w.events).toHaveLength(1);
    w.clock.advance(1000);
    await publish(w, 100);
    expect(w.events).toHaveLength(2);
    await disk.protect(false);
    expect((await publish(w, 100)).status).toBe(200);
    expect((await readiness(disk)).status).toBe(200);
    await w.engine.stop();
    await disk.store.close();
  });
});
