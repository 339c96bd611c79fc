import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DEV_CREDENTIALS, HEADER } from "@perdure/core/protocol";
import { expect, it } from "vitest";
import { useDesk } from "./desk.ts";

const { folder, run, dev } = useDesk();

async function ask(url: string, method: string, path: string): Promise<unknown> {
  const headers = { Authorization: `Bearer ${DEV_CREDENTIALS.token}`, [HEADER.delay]: "1h" };
  const answer = await fetch(`${url}${path}`, { method, headers });
  expect(answer.status).toBe(200);
  return answer.json();
}

/** Starts a run whose first delivery is due in an hour. */
async function startRun(url: string): Promise<string> {
  const body = await ask(url, "POST", "/v2/trigger/http://localhost:9/wf");
  return (body as { workflowRunId: string }).workflowRunId;
}

async function liveRuns(url: string): Promise<string[]> {
  const query = "groupBy=workflowRunId&state=RUN_STARTED&count=100";
  const { runs } = (await ask(url, "GET", `/v2/workflows/events?${query}`)) as {
    runs: { workflowRunId: string }[];
  };
  return runs.map(({ workflowRunId }) => workflowRunId);
}

it("copies the database of an engine that writes, and the copy has each run of before", async () => {
  const engine = dev(["--port", "0"]);
  await engine.saying("PERDURE_NEXT");
  const before = await Promise.all(Array.from({ length: 30 }, () => startRun(engine.url())));
  const copying = run(["backup", "copy.db"]);
  const ended = copying.exit();
  let over = false;
  void ended.then(() => {
    over = true;
  });
  const during: string[] = [];
  while (!over && during.length < 60) during.push(await startRun(engine.url()));
  expect(await ended).toBe(0);
  const size = readFileSync(join(folder(), "copy.db")).length;
  expect(copying.said()).toBe(`Copied .perdure/dev.db to copy.db: ${size} bytes.\n`);
  expect(during.length).toBeGreaterThan(0);

  const restored = dev(["--port", "0", "--db", "copy.db"]);
  await restored.saying("are under way");
  const runs = new Set(await liveRuns(restored.url()));
  expect(before.filter((id) => !runs.has(id))).toEqual([]);
  // The engine goes on with its own file.
  expect((await liveRuns(engine.url())).length).toBe(before.length + during.length);
});

const at = (path: string) => join(folder(), path);

it("says which database to name, where there are two or none", async () => {
  const none = run(["backup", "copy.db"]);
  expect(await none.exit()).toBe(1);
  expect(none.said()).toBe(
    "There is no database at .perdure/perdure.db or .perdure/dev.db. Name the one to copy with --db <file>.\n",
  );
  mkdirSync(at(".perdure"));
  for (const name of ["dev.db", "perdure.db"]) writeFileSync(at(join(".perdure", name)), "");
  const two = run(["backup", "copy.db"]);
  expect(await two.exit()).toBe(1);
  expect(two.said()).toMatch(/^There are two databases, \S+ of perdure start and \S+ of perdure dev\. Name /);
  expect(existsSync(at("copy.db"))).toBe(false);
});

it.each([
  ["PERDURE_DB", [], { PERDURE_DB: "mine.db" }],
  ["--db", ["--db", "mine.db"], { PERDURE_DB: "other.db" }],
])("takes the database of %s, and refuses what is no database", async (_how, flags, env) => {
  writeFileSync(at("mine.db"), "no database at all ".repeat(100));
  const copying = run(["backup", "copy.db", ...flags], env);
  expect(await copying.exit()).toBe(1);
  expect(copying.said()).toMatch(/^The (?:database|backup) .*not a database.*\n$/);
  expect(existsSync(at("copy.db"))).toBe(false);
});

it.each([
  ["backup", "copy.db", "--db", "mysql://me:secret@db/app"],
  ["move", "--from", "mysql://me:secret@db/app", "--to", "copy.db"],
  ["move", "--from", "postgres://me:secret@db/app", "--to", "mysql://me:secret@db/app"],
  ["dev", "--port", "0", "--db", "mysql://me:secret@db/app"],
])("refuses the URL of another kind of database, and doesn't show its password: %s", async (...args) => {
  const refused = run(args);
  expect(await refused.exit()).toBe(1);
  expect(refused.said()).toMatch(/^The database's URL can't be used: it begins with "mysql:"/);
  expect(refused.said()).not.toContain("secret");
});
