import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { createEngine } from "@perdure/engine";

const TOKEN = "token";
export const SIGNING_KEYS = { current: "sig_a", next: "sig_b" };
const FAR = "300d";

/** A database in a folder of its own, with so many runs that sleep and messages that wait. */
export interface Database {
  readonly file: string;
  remove(): void;
}

/**
 * The engine itself stores one of each; all others are copies of their rows, written in one transaction. Whatever columns
 * there are, they are as the engine fills them.
 */
export async function makeDatabase(runs: number, messages: number): Promise<Database> {
  const folder = mkdtempSync(join(tmpdir(), "perdure-bench-"));
  const file = join(folder, "engine.db");
  const engine = createEngine({ store: file, token: TOKEN, signingKeys: SIGNING_KEYS });
  const ask = async (headers: Record<string, string>): Promise<void> => {
    const { status } = await engine.fetch(
      new Request("http://engine.test/v2/publish/https://app.example.com/wf", {
        method: "POST",
        headers: { Authorization: `Bearer ${TOKEN}`, "Upstash-Delay": FAR, ...headers },
        body: "payload",
      }),
    );
    if (status !== 200) throw new TypeError(`The engine answered ${status}.`);
  };
  if (messages > 0) await ask({});
  if (runs > 0) await ask({ "Upstash-Workflow-Init": "true", "Upstash-Workflow-RunId": "wfr_0" });
  await engine.stop();
  const db = new DatabaseSync(file);
  db.exec("BEGIN");
  if (messages > 1) copyMessages(db, messages - 1);
  if (runs > 1) copyRuns(db, runs - 1);
  db.exec("COMMIT");
  db.close();
  return { file, remove: () => rmSync(folder, { recursive: true }) };
}

function copyMessages(db: DatabaseSync, count: number): void {
  const of = { seq: "1000000000 + n", id: "'msg_copy_' || n", not_before: "not_before + n" };
  copy(db, "messages", "kind = 'message' AND seq < 1000000000", of, count);
  const due = { message: "1000000000 + n", at: "at + n" };
  copy(db, "due", "kind = 'message' AND message < 1000000000", due, count);
}

function copyRuns(db: DatabaseSync, count: number): void {
  copy(db, "runs", "id = 'wfr_0'", { key: "2000000000 + n", id: "'wfr_' || n" }, count);
  const entry = { seq: "2000000000 + n", run: "2000000000 + n", message: "'msg_run_' || n" };
  copy(db, "entries", "seq < 2000000000", entry, count);
  const message = {
    seq: "2000000000 + n",
    id: "'msg_run_' || n",
    run: "2000000000 + n",
    entry: "2000000000 + n",
  };
  copy(db, "messages", "kind = 'step' AND seq < 1000000000", message, count);
  const due = { message: "2000000000 + n", at: "at + n", run: "2000000000 + n" };
  copy(db, "due", "kind = 'step' AND message < 1000000000", due, count);
}

/** Rows like the one that `where` finds, but for the columns in `other`; `n` counts them from 1. */
function copy(
  db: DatabaseSync,
  table: string,
  where: string,
  other: Readonly<Record<string, string>>,
  count: number,
): void {
  const columns = db.prepare(`SELECT name FROM pragma_table_info('${table}')`).all() as { name: string }[];
  const names = columns.map(({ name }) => name);
  const values = names.map((name) => other[name] ?? name);
  db.exec(
    `INSERT INTO ${table} (${names})
     WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ${count})
     SELECT ${values} FROM numbers CROSS JOIN (SELECT * FROM ${table} WHERE ${where} LIMIT 1)`,
  );
}
