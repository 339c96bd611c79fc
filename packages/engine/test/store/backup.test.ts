import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DEV_CREDENTIALS } from "@perdure/core/protocol";
import { afterEach, beforeEach, expect, it } from "vitest";
import { backupSqlite } from "../../src/index.ts";
import { describedApi, itemsOf } from "../described.ts";
import { type Endpoint, sequence, type World, world } from "../harness.ts";

let folder: string;
let file: string;
let copy: string;
const worlds: World[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "perdure-"));
  [file, copy] = [join(folder, "a.db"), join(folder, "copy.db")];
});
afterEach(async () => {
  for (const { engine, store } of worlds.splice(0)) {
    await engine.stop({ deadline: 0 });
    await store.close();
  }
  rmSync(folder, { recursive: true });
});

function boot(endpoint: Endpoint, options: Parameters<typeof world>[1] = {}): World {
  const w = world(endpoint, { file, ...options });
  worlds.push(w);
  return w;
}

const download = ({ engine }: World, token: string = DEV_CREDENTIALS.token): Promise<Response> =>
  engine.fetch(
    new Request("http://engine.test/v2/backup", {
      method: "POST",
      headers: { Authorization: `Bearer ${token}` },
    }),
  );

/** Ten steps, the first five of which are made before `stop` is awaited. */
const RUNS = 20;
const ids = Array.from({ length: RUNS }, (_, at) => `wfr_${at}`);

it.each(["the route", "the function"])(
  "under load, %s copies one moment, from which runs go on",
  async (way) => {
    const w = boot(sequence(10), { concurrency: 8 });
    await Promise.all(ids.map((id) => w.start(id)));
    const goingOn = w.engine.idle();
    while (w.calls.length < 3 * RUNS) await new Promise((resolve) => setImmediate(resolve));
    if (way === "the route") {
      const answer = await download(w);
      expect(answer.status).toBe(200);
      const bytes = new Uint8Array(await answer.arrayBuffer());
      expect(answer.headers.get("content-length")).toBe(String(bytes.length));
      writeFileSync(copy, bytes, { mode: 0o600 });
    } else {
      await backupSqlite(file, copy);
    }
    await goingOn;
    expect(w.events.filter(({ type }) => type === "run.completed")).toHaveLength(RUNS);

    const restored = boot(sequence(10), { file: copy });
    restored.clock.advance(60_000);
    await restored.drain();
    for (const id of ids) expect(await restored.run(id)).toMatchObject({ workflowState: "RUN_SUCCESS" });
    // The copy is of a moment in the middle: steps that it has on record aren't made again.
    expect(restored.calls.length).toBeGreaterThan(0);
    expect(restored.calls.length).toBeLessThan(w.calls.length);
    expect(existsSync(`${file}-backup`)).toBe(false);
  },
);

it("a copy is its owner's alone, and never takes another file's place", async () => {
  const w = boot(sequence(1));
  await w.start("wfr_1");
  await backupSqlite(file, copy);
  if (process.platform !== "win32") expect(statSync(copy).mode & 0o777).toBe(0o600);
  await expect(backupSqlite(file, copy)).rejects.toThrow(`The file ${copy} exists already.`);
  await expect(backupSqlite(join(folder, "none.db"), join(folder, "b.db"))).rejects.toThrow(
    /none\.db can't be used: there is no such file or folder\./,
  );
  await expect(backupSqlite(file, join(folder, "no", "folder.db"))).rejects.toThrow(/can't be made: /);
  writeFileSync(join(folder, "text"), "no database at all".repeat(100));
  await expect(backupSqlite(join(folder, "text"), join(folder, "b.db"))).rejects.toThrow(
    /it is not a database/,
  );
  expect(existsSync(join(folder, "b.db"))).toBe(false);
});

it("several that are asked for at once are each whole, also where one is given up", async () => {
  const w = boot(sequence(1));
  await w.start("wfr_1", {}, `"${"x".repeat(1_000_000)}"`);
  const answers = await Promise.all([download(w), download(w), download(w)]);
  await answers[0]?.body?.cancel();
  const sizes = await Promise.all(answers.slice(1).map(async (one) => (await one.arrayBuffer()).byteLength));
  expect(sizes[0]).toBeGreaterThan(1_000_000);
  expect(sizes[1]).toBe(sizes[0]);
});

it("is for full tokens, on a POST, and of databases in files", async () => {
  const w = boot(sequence(1), { readOnlyTokens: ["looks"] });
  expect((await download(w, "looks")).status).toBe(403);
  expect((await download(w, "a guess")).status).toBe(401);
  expect((await w.ask("GET", "/v2/backup")).status).toBe(405);
  const inMemory = boot(sequence(1), { file: ":memory:" });
  expect(await inMemory.ask("POST", "/v2/backup")).toMatchObject({
    status: 501,
    body: { error: expect.stringContaining("in memory") },
  });
});

it("is described as what it is: a file", async () => {
  const [, item] = itemsOf(await describedApi()).find(([name]) => name === "POST /v2/backup") ?? [];
  expect(Object.keys(item?.responses[200]?.content ?? {})).toEqual(["application/vnd.sqlite3"]);
});
