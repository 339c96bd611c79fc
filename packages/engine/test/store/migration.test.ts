import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, expect, it } from "vitest";
import { openSqlite } from "../../src/index.ts";
import { MIGRATIONS } from "../../src/store/sqlite/schema.ts";
import { START } from "../harness.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "perdure-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

it("a database of the first version is taken over with what it holds", async () => {
  const file = join(folder, "old.db");
  const old = new DatabaseSync(file);
  old.exec(MIGRATIONS[0] as string);
  old.exec("PRAGMA user_version = 1");
  const config = JSON.stringify({ forward: [], labels: [], features: [] });
  old
    .prepare(
      "INSERT INTO runs (id, url, state, created_at, caller_ip, labels, config, announced) VALUES ('wfr_1', 'https://app.test/wf', 'RUN_STARTED', ?, '::1', '', ?, 0)",
    )
    .run(START, config);
  old.exec(
    `INSERT INTO entries (run, record, message, call_type, body, created_at) VALUES (1, 'init', 'msg_1', 'step', '', ${START})`,
  );
  old.exec(
    `INSERT INTO messages (id, purpose, state, due_at, run, entry, url, method, forward, max_retries, not_before, created_at, caller_ip, labels)
     VALUES ('msg_1', 'step', 'ACTIVE', ${START + 9}, 1, 1, 'https://app.test/wf', 'POST', '[]', 3, ${START}, ${START}, '::1', '')`,
  );
  old.close();
  const store = openSqlite(file);
  const { claims } = await store.claim({ now: START, limit: 10, leaseUntil: START + 1000 });
  expect(claims).toMatchObject([
    { first: true, message: { id: "msg_1" }, run: { id: "wfr_1", invoker: undefined } },
  ]);
  await store.close();
  await openSqlite(file).close();
});

it("a key of flow control counts as used when its last message came", async () => {
  const file = join(folder, "keys.db");
  const old = new DatabaseSync(file);
  const before = MIGRATIONS.findIndex((text) => text.includes("used_at"));
  for (const migration of MIGRATIONS.slice(0, before)) old.exec(migration);
  old.exec(`PRAGMA user_version = ${before}`);
  old.exec("INSERT INTO flows (key, period, began_at) VALUES ('none', 1000, 5), ('one', 1000, 5)");
  old.exec(
    `INSERT INTO messages (id, purpose, state, url, method, forward, max_retries, not_before, created_at, caller_ip, labels, flow_key)
     VALUES ('msg_1', 'message', 'DELIVERED', 'https://a.test/', 'POST', '[]', 3, ${START}, ${START}, '::1', '', 'one')`,
  );
  old.close();
  const store = openSqlite(file);
  const keys = async (): Promise<string[]> =>
    (await store.flows.list(undefined, START)).map(({ key }) => key);
  const expiry = { messages: 0, logs: START, dlq: 0, runs: 0, now: START };
  await store.sweep(expiry, 10);
  expect(await keys()).toEqual(["one"]);
  await store.sweep({ ...expiry, logs: START + 60_000 }, 10);
  expect(await keys()).toEqual([]);
  await store.close();
});
