import { DEV_CREDENTIALS } from "@perdure/core/protocol";
import { newDatabase } from "@perdure/test-support/postgres-database";
import { expect, it } from "vitest";
import { indexRuns } from "../../src/commands/index-runs.ts";
import { createEngine, type Engine, openPostgres } from "../../src/index.ts";
import { parseSearch } from "../../src/rules/search.ts";
import { ClientSession } from "../../src/store/postgres/client.ts";
import { PostgresDriver } from "../../src/store/postgres/driver.ts";
import { readLocation } from "../../src/store/postgres/location.ts";
import { start } from "../store/kit.ts";
import { searching } from "../store/searching.ts";

searching("PostgreSQL on a server", () => openPostgres(newDatabase()));

it("several engines index the same runs side by side", async () => {
  const url = newDatabase();
  const stores = await Promise.all([openPostgres(url), openPostgres(url), openPostgres(url)]);
  const ids = Array.from({ length: 20 }, (_, at) => `wfr_${at}`);
  const [first] = stores;
  await first.accept(ids.map((id) => start(id)));
  await Promise.all(stores.map((store) => store.indexRuns(ids)));
  const query = { count: 100, search: parseSearch("payload", "search") };
  expect((await first.runSummaries(query)).items).toHaveLength(20);
  await Promise.all(stores.map((store) => store.close()));
});

it("an engine doesn't wait for another one that indexes a run: it leaves that for later", async () => {
  const url = newDatabase();
  const store = await openPostgres(url);
  await store.accept([start("wfr_1"), start("wfr_2")]);
  const session = new ClientSession(readLocation(url), { name: "test" });
  const other = new PostgresDriver({ writers: [session], readers: [session] });
  let left: readonly string[] = [];
  await other.write(async (tx) => {
    expect(await indexRuns(tx, ["wfr_1"])).toEqual([]);
    left = await store.indexRuns(["wfr_1", "wfr_2"]);
  });
  expect(left).toEqual(["wfr_1"]);
  expect(await store.indexRuns(left)).toEqual([]);
  const query = { count: 100, search: parseSearch("payload", "search") };
  expect((await store.runSummaries(query)).items).toHaveLength(2);
  await other.close();
  await store.close();
});

it("an engine finds what another one has stored and indexed", async () => {
  const url = newDatabase();
  const open = async (): Promise<Engine> =>
    createEngine({
      store: await openPostgres(url),
      token: "t",
      signingKeys: {
        current: DEV_CREDENTIALS.currentSigningKey,
        next: DEV_CREDENTIALS.nextSigningKey,
      },
    });
  const [one, other] = [await open(), await open()];
  await one.trigger({ url: "https://app.test/wf", body: { customer: "Zoe" }, delay: "1h" });
  const found = async (engine: Engine): Promise<number> =>
    (await engine.runs.find({ search: "zoe" })).runs.length;
  expect(await found(one)).toBe(1);
  expect(await found(other)).toBe(1);
  await Promise.all([one.stop(), other.stop()]);
});
