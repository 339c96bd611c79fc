// The floor's engine: the requests, signatures, rows and flushes of runs, without anything that an engine does
// beside them. Tells its parent process its URL first, and then when as many runs as expected have ended.
import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { Agent, type IncomingMessage, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { buffer } from "node:stream/consumers";
import { listen, wireOf } from "./floor-wire.ts";

const wire = wireOf(process.argv[2]);
const folder = mkdtempSync(join(tmpdir(), "floor-bench-"));
const db = new DatabaseSync(join(folder, "floor.db"));
db.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
  CREATE TABLE runs (key INTEGER PRIMARY KEY, id TEXT UNIQUE, url TEXT, state TEXT);
  CREATE TABLE entries (run INTEGER, position INTEGER, record TEXT, body TEXT,
    PRIMARY KEY (run, position), UNIQUE (run, record)) WITHOUT ROWID;`);
const insertRun = db.prepare("INSERT INTO runs (id, url, state) VALUES (?, ?, 'STARTED') RETURNING key");
const insertEntry = db.prepare("INSERT INTO entries VALUES (?, ?, ?, ?)");
const endRun = db.prepare("UPDATE runs SET state = 'ENDED' WHERE key = ?");
const agent = new Agent({ keepAlive: true });
let missing = 0;

/** Work that waits for the next commit. */
let queue: { readonly work: () => unknown; readonly resolve: (value: never) => void }[] = [];

/** Work that arrives together shares a commit, and its flush. */
function commit<T>(work: () => T): Promise<T> {
  return new Promise((resolve) => {
    if (queue.push({ work, resolve }) === 1) setImmediate(flush);
  });
}

function flush(): void {
  const taken = queue;
  queue = [];
  db.exec("BEGIN IMMEDIATE");
  const results = taken.map(({ work }) => work());
  db.exec("COMMIT");
  for (const [at, { resolve }] of taken.entries()) resolve(results[at] as never);
}

interface Started {
  readonly run: number;
  readonly url: string;
  readonly payload: number;
}

async function deliver({ run, url, payload }: Started): Promise<void> {
  const body = JSON.stringify({ run, payload });
  const headers = wire.sign(url, body);
  const sent = request(url, { method: "POST", agent, headers });
  const answered = new Promise<IncomingMessage>((resolve) => sent.once("response", resolve));
  sent.end(body);
  const { position } = JSON.parse(String(await buffer(await answered)));
  await commit(() => {
    insertEntry.run(run, position, "end", body);
    endRun.run(run);
  });
  if (--missing === 0) process.send?.("ended");
}

async function start({ url, payload }: Omit<Started, "run">): Promise<number> {
  const run = await commit(() => {
    const { key } = insertRun.get(randomUUID(), url) as { readonly key: number };
    insertEntry.run(key, 1, "payload", JSON.stringify(payload));
    return key;
  });
  void deliver({ run, url, payload });
  return run;
}

interface Append {
  readonly run: number;
  readonly position: number;
  readonly record: { readonly name: string };
}

function append(appends: readonly Append[]): Promise<number[]> {
  return commit(() =>
    appends.map(({ run, position, record }) => {
      insertEntry.run(run, position, record.name, JSON.stringify(record));
      return position;
    }),
  );
}

const answer = async (path: string, body: string): Promise<unknown> => {
  const value = JSON.parse(body);
  return path === "/append" ? append(value) : start(value);
};

process.send?.(await listen(wire.toListener(answer, false)));

process.on("message", (message: { readonly expect?: number; readonly stop?: true }) => {
  if (message.expect !== undefined) {
    missing = message.expect;
    process.send?.("expecting");
  }
  if (!message.stop) return;
  db.close();
  rmSync(folder, { recursive: true });
  process.exit(0);
});
