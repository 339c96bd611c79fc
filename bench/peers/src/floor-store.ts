// Where the floor keeps its rows: a run, and an entry for each record of it. Rows that arrive together share a commit, and its
// flush.
import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import postgres from "postgres";

/** A record of a run, as a row. */
export interface Entry {
  readonly run: number;
  readonly position: number;
  readonly name: string;
  readonly body: string;
}

/** Each method resolves once its rows are on disk. */
export interface FloorStore {
  /** @returns the run's key */
  start(url: string, payload: string): Promise<number>;
  append(entries: readonly Entry[]): Promise<unknown>;
  end(entry: Entry): Promise<unknown>;
  close(): Promise<void>;
}

/** On the PostgreSQL database of the URL, else on a SQLite file in a temporary folder. */
export function openStore(databaseUrl?: string): Promise<FloorStore> | FloorStore {
  return databaseUrl === undefined ? openSqlite() : openPostgres(databaseUrl);
}

function openSqlite(): FloorStore {
  const folder = mkdtempSync(join(tmpdir(), "floor-bench-"));
  const db = new DatabaseSync(join(folder, "floor.db"));
  db.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
    CREATE TABLE runs (key INTEGER PRIMARY KEY, id TEXT UNIQUE, url TEXT, state TEXT);
    CREATE TABLE entries (run INTEGER, position INTEGER, name TEXT, body TEXT,
      PRIMARY KEY (run, position), UNIQUE (run, name)) WITHOUT ROWID;`);
  const insertRun = db.prepare("INSERT INTO runs (id, url, state) VALUES (?, ?, 'STARTED') RETURNING key");
  const insertEntry = db.prepare("INSERT INTO entries VALUES (?, ?, ?, ?)");
  const endRun = db.prepare("UPDATE runs SET state = 'ENDED' WHERE key = ?");
  const insert = ({ run, position, name, body }: Entry): unknown =>
    insertEntry.run(run, position, name, body);

  const commit = together<() => unknown, unknown>(async (works) => {
    db.exec("BEGIN IMMEDIATE");
    const results = works.map((work) => work());
    db.exec("COMMIT");
    return results;
  });
  return {
    start: (url, payload) =>
      commit(() => {
        const { key: run } = insertRun.get(randomUUID(), url) as { readonly key: number };
        insert({ run, position: 1, name: "payload", body: payload });
        return run;
      }) as Promise<number>,
    append: (entries) => commit(() => entries.map(insert)),
    end: (entry) =>
      commit(() => {
        insert(entry);
        endRun.run(entry.run);
      }),
    async close() {
      db.close();
      rmSync(folder, { recursive: true });
    },
  };
}

/** One statement for all rows of a kind: the fewest that PostgreSQL can be asked for. */
async function openPostgres(databaseUrl: string): Promise<FloorStore> {
  const sql = postgres(databaseUrl, { max: 6, onnotice: () => {} });
  await sql.unsafe(`
    CREATE TABLE runs (key integer PRIMARY KEY, id uuid UNIQUE, url text, state text);
    CREATE TABLE entries (run integer, position integer, name text, body text,
      PRIMARY KEY (run, position), UNIQUE (run, name));`);
  let lastRun = 0;
  const columns = (entries: readonly Entry[]) => sql`unnest(
    ${entries.map(({ run }) => run)}::integer[], ${entries.map(({ position }) => position)}::integer[],
    ${entries.map(({ name }) => name)}::text[], ${entries.map(({ body }) => body)}::text[])`;

  const start = together<{ readonly url: string; readonly entry: Entry }, number>(async (starts) => {
    const entries = starts.map(({ entry }) => entry);
    await sql`
      WITH started AS (INSERT INTO runs SELECT *, 'STARTED' FROM unnest(
        ${entries.map(({ run }) => run)}::integer[], ${starts.map(() => randomUUID())}::uuid[],
        ${starts.map(({ url }) => url)}::text[]))
      INSERT INTO entries SELECT * FROM ${columns(entries)}`;
    return entries.map(({ run }) => run);
  });
  const append = together<readonly Entry[], undefined>(async (appends) => {
    await sql`INSERT INTO entries SELECT * FROM ${columns(appends.flat())}`;
    return [];
  });
  const end = together<Entry, undefined>(async (entries) => {
    await sql`
      WITH ended AS (UPDATE runs SET state = 'ENDED' WHERE key = ANY (${entries.map(({ run }) => run)}::integer[]))
      INSERT INTO entries SELECT * FROM ${columns(entries)}`;
    return [];
  });
  return {
    start: (url, body) => start({ url, entry: { run: ++lastRun, position: 1, name: "payload", body } }),
    append,
    end,
    close: () => sql.end(),
  };
}

/** Hands over what arrives in a turn of the event loop, or while two earlier batches are under way, as one batch. */
function together<Item, Result>(
  perform: (items: readonly Item[]) => Promise<readonly Result[]>,
): (item: Item) => Promise<Result> {
  const queue: { readonly item: Item; readonly resolve: (result: Result) => void }[] = [];
  let performing = 0;
  const next = async (): Promise<void> => {
    if (performing === 2 || queue.length === 0) return;
    performing++;
    const taken = queue.splice(0);
    const results = await perform(taken.map(({ item }) => item));
    for (const [at, { resolve }] of taken.entries()) resolve(results[at] as Result);
    performing--;
    void next();
  };
  return (item) =>
    new Promise((resolve) => {
      if (queue.push({ item, resolve }) === 1) setImmediate(next);
    });
}
