import { DEV_CREDENTIALS } from "@perdure/core/protocol";
import { newDatabase } from "@perdure/test-support/postgres-database";
import { expect, it } from "vitest";
import { createEngine, type Engine, openPostgres } from "../../src/index.ts";
import { parseSearch } from "../../src/rules/search.ts";
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
