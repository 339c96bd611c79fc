import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeEach, describe, expect, it } from "vitest";
import { openSqlite, type SqliteStore } from "../../src/open-sqlite.ts";
import { ListThreads } from "../../src/store/sqlite/list-threads.ts";
import { inspecting } from "./inspecting.ts";
import { searching } from "./searching.ts";

const folder = mkdtempSync(join(tmpdir(), "perdure-lists-"));
let files = 0;
afterAll(() => rmSync(folder, { recursive: true }));

const open = async (): Promise<SqliteStore> => openSqlite(join(folder, `${files++}.db`));
inspecting("SQLite in a file", open);
searching("SQLite in a file", open);

describe("the threads of lists", () => {
  const gate = new Int32Array(new SharedArrayBuffer(4));
  let threads: ListThreads;
  const run = (operation: string): Promise<unknown> => threads.run({ operation, args: [], now: 0 });
  const release = (): void => {
    Atomics.store(gate, 0, 1);
    Atomics.notify(gate, 0);
  };
  beforeEach(() => {
    Atomics.store(gate, 0, 0);
    threads = new ListThreads(new URL("./stuck-thread.ts", import.meta.url), gate);
  });
  afterEach(async () => {
    release();
    await threads.close();
  });

  it("go on beside one that is stuck, whose caller gets an error after the limit", async () => {
    const stuck = run("stuck");
    expect(await run("a")).toBe("a");
    threads.limit(1);
    await expect(run("stuck")).rejects.toMatchObject({ code: "query_timeout" });
    release();
    expect(await stuck).toBe("stuck");
  });

  it("refuse what waits for a free one for longer than the limit, and go on afterwards", async () => {
    const both = Promise.all([run("stuck"), run("stuck")]);
    threads.limit(1);
    await expect(run("a")).rejects.toThrow("took longer than 0.001s: narrow its filters");
    release();
    await both;
    threads.limit(10_000);
    expect(await run("a")).toBe("a");
  });

  it("begin anew after a crash", async () => {
    await expect(run("crash")).rejects.toMatchObject({ name: "StoreUnavailable" });
    expect(await run("a")).toBe("a");
  });
});

describe("a list in a thread", () => {
  it("sees what is on disk, by the engine's clock, and passes on errors", async () => {
    const file = join(folder, "one.db");
    const store = openSqlite(file);
    store.useClock(() => 5000);
    await store.recordAction({ actor: "a", action: "b", target: "c", callerIp: "::1" });
    expect((await store.actions({ count: 1 })).items).toMatchObject([{ actor: "a", at: 5000 }]);
    await expect(store.runSteps(undefined as never)).rejects.toThrow(/undefined/);
    rmSync(file);
    await expect(store.countRuns({})).rejects.toThrow("was deleted or replaced");
    await store.close();
  });
});
