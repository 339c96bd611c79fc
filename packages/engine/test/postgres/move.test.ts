import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { DatabaseSync, type SQLInputValue } from "node:sqlite";
import { HEADER } from "@perdure/core/protocol";
import { newDatabase } from "@perdure/test-support/postgres-database";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  type MoveProgress,
  moveDatabase,
  openPostgres,
  openSqlite,
  type PostgresStore,
  StoreUnavailable,
} from "../../src/index.ts";
import { postgresEnd } from "../../src/store/move/postgres.ts";
import { sqliteEnd } from "../../src/store/move/sqlite.ts";
import { differencesOf, SHARED_ONLY } from "../../src/store/move/table.ts";
import { createClient } from "../../src/store/postgres/client.ts";
import { readLocation } from "../../src/store/postgres/location.ts";
import { useDesk } from "../cli/desk.ts";
import { describedApi, itemsOf } from "../described.ts";
import { NOT_AGAIN, ONCE } from "../failing.ts";
import { APP, failed, isFailure, ofRun, ok, result, runIdOf, type World, world } from "../harness.ts";
import { app, CHILD, createHook, invokeStep, runStep, waitStep, workflow } from "../steps.ts";
import { withClient } from "./database.ts";

const { run: runCommand } = useDesk();

let folder: string;
const stores: PostgresStore[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "perdure move "));
});
afterEach(async () => {
  for (const store of stores.splice(0)) await store.close();
  rmSync(folder, { recursive: true });
});

const file = (name = "engine.db"): string => join(folder, name);

async function openTarget(url: string): Promise<PostgresStore> {
  const store = await openPostgres(url);
  stores.push(store);
  return store;
}

async function createEmpty(path: string): Promise<void> {
  await openSqlite(path).close();
}

/** Strings that a careless copy would change. */
const STRINGS = [
  "",
  "plain",
  "tab\tand\nnewline\r\\N \\t \\x41",
  "\b\f\v",
  "žluť 🐎 \u2028",
  '{"a":"\\u0000"}',
];

/** A different value for each row and column. */
function cellOf(type: string, row: number, column: number): SQLInputValue {
  if (type === "INTEGER") return row * 1000 + column + (row % 2) * 1_900_000_000_000;
  const text = `${row}-${column} ${STRINGS[(row + column) % STRINGS.length]}`;
  return type === "TEXT" ? text : new Uint8Array([0, 255, 10, 9, 92, ...Buffer.from(text)]);
}

/** Fills every table of a file, whatever its columns mean. Columns that may be null are, here and there. */
function fill(path: string, rows: number): void {
  const db = new DatabaseSync(path);
  const tables = db
    .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'")
    .all();
  for (const { name } of tables) {
    const columns = db.prepare(`PRAGMA table_info("${name}")`).all();
    const insert = db.prepare(`INSERT INTO "${name}" VALUES (${columns.map(() => "?").join(", ")})`);
    for (let row = 1; row <= rows; row++) {
      const values = columns.map(({ type, notnull, pk }, column) =>
        notnull === 0 && pk === 0 && (row + column) % 4 === 0 ? null : cellOf(String(type), row, column),
      );
      insert.run(...values);
    }
  }
  // Numbers above this one have been given to rows that are gone.
  db.prepare("UPDATE sqlite_sequence SET seq = seq + 1000").run();
  db.close();
}

/** Everything in a file: its tables with their rows, and its counters. */
function dump(path: string): object {
  const db = new DatabaseSync(path, { readOnly: true });
  const tables = db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").all();
  const all = tables.map(({ name }) => {
    const rows = db.prepare(`SELECT * FROM "${name}"`).all();
    const texts = rows.filter((row) => row.name !== "moved_to").map((row) => JSON.stringify(row));
    return [name, texts.sort()];
  });
  db.close();
  return Object.fromEntries(all);
}

describe("the tables of a move", () => {
  it("are those of both databases, as their migrations define them", async () => {
    await createEmpty(file());
    const url = newDatabase();
    await openTarget(url);
    const db = new DatabaseSync(file());
    const ofFile = sqliteEnd(db).tables;
    db.close();
    const client = createClient(readLocation(url), { name: "test" });
    const ofServer = await client.begin(async (sql) => (await postgresEnd(sql)).tables);
    await client.end();
    expect(differencesOf(ofFile, ofServer)).toEqual([]);
    // The rest of PostgreSQL's tables say who works on the database.
    const names = await withClient(
      url,
      (sql) => sql`SELECT tablename FROM pg_tables WHERE schemaname = current_schema()`,
    );
    const all = names.map(({ tablename }) => tablename).sort();
    expect(all).toEqual([...ofFile.map(({ name }) => name), ...SHARED_ONLY].sort());
    expect(ofFile.every(({ key }) => key.length > 0)).toBe(true);
  });

  it("are refused where they differ", async () => {
    await createEmpty(file());
    const url = newDatabase();
    await (await openTarget(url)).close();
    await withClient(url, (sql) => sql`ALTER TABLE runs ADD COLUMN color text`);
    await expect(moveDatabase({ from: file(), to: url })).rejects.toThrow(
      /^The tables of the two databases differ: the table "runs" is .*color text/,
    );
  });
});

describe("perdure move", () => {
  it("moves every row of every table, there and back, and the numbers of rows to come", async () => {
    await createEmpty(file());
    fill(file(), 25);
    const progress: MoveProgress[] = [];
    const url = newDatabase();
    const moved = await moveDatabase({ from: file(), to: url, onProgress: (one) => progress.push(one) });
    const before = dump(file());
    expect(moved.map(({ table }) => table)).toEqual(
      Object.keys(before).filter((name) => name !== "sqlite_sequence"),
    );
    expect(moved.every(({ rows }) => rows >= 25)).toBe(true);
    for (const { table, rows } of moved) {
      expect(progress).toContainEqual({ doing: "copy", table, rows, done: true });
      expect(progress).toContainEqual({ doing: "compare", table, rows, done: true });
    }
    const [given] = await withClient(
      url,
      (sql) => sql`INSERT INTO dlq (id, message, created_at, error, by_engine)
      VALUES ('next', 1, 1, '', 0) RETURNING seq`,
    );
    expect(Number(given?.seq)).toBe(25 * 1000 + 1_900_000_000_000 + 1000 + 1);
    await withClient(url, (sql) => sql`DELETE FROM dlq WHERE id = 'next'`);
    await moveDatabase({ from: url, to: file("back.db") });
    const [after, numbers] = [
      dump(file("back.db")),
      { sqlite_sequence: [JSON.stringify({ name: "dlq", seq: Number(given?.seq) })] },
    ];
    expect(after).toEqual({ ...before, ...numbers });
  });

  it("keeps strings that PostgreSQL can't store as they are", async () => {
    await createEmpty(file());
    fill(file(), 3);
    const db = new DatabaseSync(file());
    db.prepare("UPDATE waiters SET event = ?").run("a\0b\u001a0\u001a\0");
    db.close();
    const before = JSON.stringify(dump(file()));
    expect(before).toContain("u001a");
    const url = newDatabase();
    await moveDatabase({ from: file(), to: url });
    await moveDatabase({ from: url, to: file("back.db") });
    expect(JSON.stringify(dump(file("back.db")))).toBe(before);
  });

  it("leaves the target as it was when a row can't be copied", async () => {
    await createEmpty(file());
    fill(file(), 3);
    const url = newDatabase();
    await (await openTarget(url)).close();
    await withClient(url, async (sql) => {
      await sql.unsafe(`CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
        'BEGIN RAISE EXCEPTION ''the disk is full''; END'`);
      await sql.unsafe(
        "CREATE TRIGGER refuse BEFORE INSERT ON waiters FOR EACH ROW EXECUTE FUNCTION refuse()",
      );
    });
    await expect(moveDatabase({ from: file(), to: url })).rejects.toThrow(
      /^The table "waiters" can't be copied: after 3 rows, the disk is full/,
    );
    const [counted] = await withClient(url, (sql) => sql`SELECT count(*) AS rows FROM runs`);
    expect(Number(counted?.rows)).toBe(0);
    // The file isn't marked: its engine can go on.
    await createEmpty(file());
  });

  it("finds a difference that the target makes", async () => {
    await createEmpty(file());
    fill(file(), 3);
    const url = newDatabase();
    await (await openTarget(url)).close();
    await withClient(url, async (sql) => {
      await sql.unsafe(`CREATE FUNCTION spoil() RETURNS trigger LANGUAGE plpgsql AS
        'BEGIN NEW.body = CAST(NEW.body || ''x'' AS bytea); RETURN NEW; END'`);
      await sql.unsafe("CREATE TRIGGER spoil BEFORE INSERT ON entries FOR EACH ROW EXECUTE FUNCTION spoil()");
    });
    await expect(moveDatabase({ from: file(), to: url })).rejects.toThrow(
      /^The copy of the table "entries" differs: 3 rows were read with the digest \w{64}, and 3 were stored with \w{64}\.$/,
    );
  });

  it.each(["the file", "PostgreSQL"])("refuses while an engine uses %s", async (where) => {
    await createEmpty(file());
    const url = newDatabase();
    const used = where === "the file" ? openSqlite(file()) : await openTarget(url);
    await expect(moveDatabase({ from: file(), to: url })).rejects.toThrow(
      /in use by (?:another process|1 engine)/,
    );
    await used.close();
    await moveDatabase({ from: file(), to: url });
  });

  it("refuses a target with rows, and a file that exists", async () => {
    await createEmpty(file());
    const url = newDatabase();
    const store = await openTarget(url);
    await store.putQueue({ name: "q", parallelism: 1, paused: false }, { queues: 10 });
    await store.close();
    await expect(moveDatabase({ from: file(), to: url })).rejects.toThrow(
      'The target isn\'t empty: its table "queues" has rows.',
    );
    await expect(moveDatabase({ from: url, to: file() })).rejects.toThrow("exists already");
  });

  it.each([
    ["two files", { from: "a.db", to: "b.db" }],
    ["two servers", { from: "postgres://a/b", to: "postgres://c/d" }],
    ["no file", { from: "none.db", to: "postgres://a/b" }],
  ])("refuses %s", async (_name, ends) => {
    await expect(moveDatabase(ends)).rejects.toThrow(StoreUnavailable);
  });

  it("is a command, which hides the password, and after which engines refuse the file", async () => {
    await createEmpty(file());
    const url = newDatabase();
    const moving = runCommand(["move", "--from", file()], { PERDURE_DB: url });
    expect(await moving.exit()).toBe(0);
    expect(moving.said()).toContain("runs: 0 rows copied and compared\n");
    expect(moving.said()).toMatch(
      /Moved \d+ tables with \d+ rows\. Each table is the same in both databases\./,
    );
    expect(moving.said()).toContain("postgres://postgres:***@");
    expect(moving.said()).not.toContain("tests%20only");
    expect(() => openSqlite(file())).toThrow(
      /The data of this database was moved to postgres:\/\/postgres:\*\*\*@/,
    );
    const again = runCommand(["move", "--from", file(), "--to", url]);
    expect(await again.exit()).toBe(1);
    expect(again.said()).toContain("The data of this database was moved to");
    const without = runCommand(["move", "--to", url]);
    expect(await without.exit()).toBe(1);
    expect(without.said()).toMatch(/^perdure move needs the database to move and its target/);
    await moveDatabase({ from: url, to: relative(process.cwd(), file("back.db")) });
    // The whole path: an engine may start in another folder.
    await expect(openPostgres(url)).rejects.toThrow(
      `was moved to ${file("back.db")}: start the engine with that`,
    );
  });
});

const ENDPOINTS = app({
  [APP]: workflow(createHook, runStep, waitStep("approved"), runStep),
  [CHILD]: workflow(runStep),
  "https://app.test/parent": workflow(invokeStep("wfr_child")),
  "https://app.test/fails": async (call, self) => {
    if (isFailure(call)) return failed(500, "deaf");
    if (call.headers.get(HEADER.init) !== "true") return failed(489, "boom", NOT_AGAIN);
    await self.append(runIdOf(call), [result(1, { rollback: true })]);
    return new Response("", { headers: { [HEADER.sdkVersion]: "1", [HEADER.capabilities]: "1" } });
  },
  "https://plain.test/ok": () => ok("done"),
  "https://plain.test/bad": () => failed(500, "never"),
});

/** Makes something of everything that an engine stores, and stops the engine in the middle of it. */
async function live(w: World): Promise<void> {
  const publish = (path: string, headers: Record<string, string> = {}) =>
    w.ask("POST", `/v2/${path}`, { headers, body: "hello" });
  const label = { [HEADER.label]: "blue" };
  await w.start("wfr_waits", label);
  await w.start("wfr_child2", { [HEADER.workflowUrl]: CHILD });
  await w.ask("POST", "/v2/batch", {
    body: JSON.stringify([
      {
        destination: "https://app.test/fails",
        headers: { ...ofRun("wfr_failed", "true"), ...ONCE, [HEADER.workflowUrl]: "https://app.test/fails" },
      },
    ]),
  });
  await publish("publish/https://plain.test/ok", { ...label, [HEADER.callback]: "https://plain.test/ok" });
  await publish("publish/https://plain.test/bad", { [HEADER.retries]: "0" });
  await publish("publish/https://plain.test/ok", { [HEADER.deduplicationId]: "once", [HEADER.delay]: "1d" });
  await w.ask("POST", "/v2/queues", { body: JSON.stringify({ queueName: "q", parallelism: 2 }) });
  await w.ask("POST", "/v2/queues/q/pause");
  await publish("enqueue/q/https://plain.test/ok");
  await publish("publish/https://plain.test/ok", {
    [HEADER.flowControlKey]: "k",
    [HEADER.flowControlValue]: "parallelism=1,rate=1,period=1h",
    [HEADER.delay]: "1h",
  });
  await w.ask("POST", "/v2/flowControl/k/pause");
  await w.ask("POST", "/v2/topics/group/endpoints", {
    body: JSON.stringify({ endpoints: [{ url: "https://plain.test/ok", name: "one" }] }),
  });
  await publish("publish/group");
  await publish("schedules/https://plain.test/ok", {
    [HEADER.cron]: "0 0 1 1 *",
    [HEADER.scheduleId]: "yearly",
  });
  await w.engine.idle();
}

/** The ids and names of what is there, by the beginnings of the paths that take them. */
async function knownOf(w: World): Promise<Record<string, readonly string[]>> {
  const { body } = await w.ask("GET", "/v2/logs?count=1000");
  const dead = await w.deadLetters();
  const messages = new Set<string>(body.logs.map(({ messageId }: { messageId: string }) => messageId));
  const letters = dead.map(({ dlqId }) => dlqId);
  return {
    "/v2/messages": [...messages],
    "/v2/topics": ["group"],
    "/v2/waiters": ["approved", "hook"],
    "/v2/workflows/runs": ["wfr_waits", "wfr_child2", "wfr_failed"],
    "/v2/dlq": letters,
    "/v2/workflows/dlq": letters,
    "/v2/queues": ["q"],
    "/v2/schedules": ["yearly"],
    "/v2/flowControl": ["k"],
  };
}

/** Routes whose answers don't come from tables. */
const WITHOUT_TABLES = /stream|\/hooks\/|\/keys|\/access|\/wait$|numbers/;

/** The answers of all routes that read, for all that is there. */
async function answersOf(w: World): Promise<Map<string, unknown>> {
  const known = await knownOf(w);
  const answers = new Map<string, unknown>();
  for (const [name] of itemsOf(await describedApi())) {
    const [verb, path = ""] = name.split(" ");
    if (verb !== "GET" || WITHOUT_TABLES.test(path)) continue;
    for (const one of filled(path, known)) {
      const { status, body } = await w.ask("GET", one);
      answers.set(one, { status, body });
    }
  }
  return answers;
}

/** A path for each known value. */
function filled(path: string, known: Readonly<Record<string, readonly string[]>>): string[] {
  const [start = "", hole] = path.split(/\/(?=\{)/);
  if (hole === undefined) return [path];
  const values = known[start];
  if (!values) throw new TypeError(`The test knows no value for ${path}.`);
  return values.map((value) => path.replace(/\{\w+\}/, value));
}

describe("an engine on moved data", () => {
  it("answers everything as before, and its runs go on and end", async () => {
    const before = world(ENDPOINTS, { file: file() });
    await live(before);
    const answers = await answersOf(before);
    await before.engine.stop();
    await before.store.close();
    const url = newDatabase();
    await moveDatabase({ from: file(), to: url });
    const after = world(ENDPOINTS, { opened: await openTarget(url), clock: before.clock });
    await after.engine.idle();
    const moved = await answersOf(after);
    expect([...moved.keys()]).toEqual([...answers.keys()]);
    for (const [path, answer] of answers) expect({ path, answer: moved.get(path) }).toEqual({ path, answer });
    const found = [...answers.values()].filter((answer) => (answer as { status: number }).status === 200);
    expect(found.length).toBeGreaterThan(25);

    await after.ask("POST", "/v2/notify/approved", { body: '"yes"' });
    await after.engine.idle();
    expect((await after.run("wfr_waits")).workflowState).toBe("RUN_SUCCESS");
    await after.start("wfr_new", { [HEADER.workflowUrl]: CHILD });
    await after.engine.idle();
    expect((await after.run("wfr_new")).workflowState).toBe("RUN_STARTED");
    await after.engine.stop();
  });
});
