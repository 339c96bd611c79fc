import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, expect, it } from "vitest";
import { openSqlite } from "../../src/index.ts";
import { START } from "../harness.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "perdure-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

it("of those that wait for room, no more are looked at than takes a moment", async () => {
  const file = join(folder, "many.db");
  await openSqlite(file).close();
  const db = new DatabaseSync(file);
  db.exec(
    `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 30000)
     INSERT INTO due (message, status, at, since, kind, destination)
     SELECT i, CASE i % 2 WHEN 0 THEN 'deferred' ELSE 'scheduled' END, CASE i % 2 WHEN 0 THEN NULL ELSE ${START} END,
       ${START}, 'message', CASE i % 2 WHEN 0 THEN 'a' END FROM n`,
  );
  db.close();
  const store = openSqlite(file);
  store.useClock(() => START);
  expect(await store.waitingForRoom()).toEqual({ due: 10_000, aside: 10_000 });
  await store.close();
});
