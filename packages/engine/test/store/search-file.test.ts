import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, expect, it } from "vitest";
import { openSqlite } from "../../src/open-sqlite.ts";
import { dropSearchFile, openIndexer } from "../../src/store/sqlite/search-file.ts";
import { START, until, type World, world } from "../harness.ts";

// The index beside a SQLite file.
const folder = mkdtempSync(join(tmpdir(), "perdure-search-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** The runs that a search finds, or its status and error. */
async function find(w: World, search: string): Promise<unknown> {
  const path = `/v2/workflows/runs?search=${encodeURIComponent(search)}`;
  const { status, body } = await w.ask("GET", path);
  if (status !== 200) return [status, body.error];
  return body.runs.map(({ workflowRunId: id }: { workflowRunId: string }) => id);
}

it("isn't filled from a database that is gone, which stays so", () => {
  const path = join(folder, "gone.db");
  expect(() => openIndexer(path)).toThrow("unable to open database");
  expect(existsSync(path)).toBe(false);
  dropSearchFile(path);
});

it("can be switched off, which deletes the index", async () => {
  const file = join(folder, "off.db");
  const on = world(undefined, { opened: openSqlite(file) });
  await on.start("wfr_1", {}, '"secret"');
  expect(await find(on, "secret")).toEqual(["wfr_1"]);
  await on.engine.stop();
  await on.store.close();
  expect(readdirSync(folder)).toContain("off.db-search");
  const off = world(undefined, { opened: openSqlite(file), search: false });
  expect(await find(off, "secret")).toEqual([501, "the search is off: the option search is false"]);
  expect((await off.ask("GET", "/v2/workflows/access")).body.search).toBe(false);
  await off.engine.stop();
  await off.store.close();
  expect(readdirSync(folder).filter((name) => name.includes("search"))).toEqual([]);
});

it("finds after a restart what the last engine hadn't indexed, and nothing of deleted runs", async () => {
  const file = join(folder, "restart.db");
  const first = world(undefined, { opened: openSqlite(file) });
  await first.start("wfr_1", { "Upstash-Delay": "1h" }, '"alpha"');
  await first.start("wfr_2", { "Upstash-Delay": "1h" }, '"alpha"');
  expect(await find(first, "alpha")).toEqual(["wfr_2", "wfr_1"]);
  await first.engine.stop();
  // Without an engine, nothing indexes.
  await first.store.endRun("wfr_2", { state: "RUN_SUCCESS", response: '"omega"' });
  await first.store.endRun("wfr_1", { state: "RUN_SUCCESS", response: undefined });
  await first.store.close();
  const second = world(undefined, { opened: openSqlite(file) });
  // On a busy machine the first search may come before the index is complete.
  await until(async () => JSON.stringify(await find(second, "omega")) === '["wfr_2"]');
  await second.store.sweep({ messages: 0, logs: 0, dlq: 0, runs: START, now: START }, 100);
  expect(await find(second, "alpha")).toEqual([]);
  await second.engine.stop();
  await second.store.close();
  expect(await indexed(file)).toEqual(2);
  const third = world(undefined, { opened: openSqlite(file) });
  expect(await find(third, "alpha")).toEqual([]);
  await until(async () => {
    await find(third, "alpha");
    return (await indexed(file)) === 0;
  });
  await third.engine.stop();
  await third.store.close();
});

/** The number of runs that the index has. */
async function indexed(file: string): Promise<number> {
  const db = new DatabaseSync(`${file}-search`);
  const row = db.prepare("SELECT count(*) AS count FROM search_runs").get() as { count: number };
  db.close();
  return row.count;
}

it("replaces an index that is damaged", async () => {
  const file = join(folder, "damaged.db");
  writeFileSync(
    `${file}-search`,
    "this is no database, and long enough to be read as a header of one ".repeat(9),
  );
  const w = world(undefined, { opened: openSqlite(file) });
  await w.start("wfr_1", {}, '"alpha"');
  expect(await find(w, "alpha")).toEqual(["wfr_1"]);
  await w.engine.stop();
  await w.store.close();
});
