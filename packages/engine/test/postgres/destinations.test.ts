import { newDatabase } from "@perdure/test-support/postgres-database";
import { expect, it } from "vitest";
import { ManualClock, openPostgres } from "../../src/index.ts";
import { ok, world } from "../harness.ts";

it("messages that one engine has no room for are delivered by another one that has", async () => {
  const url = newDatabase();
  const stores = [await openPostgres(url), await openPostgres(url)] as const;
  const clock = new ManualClock();
  let answer = (_: Response): void => {};
  // One delivery to a destination at a time, which gets no answer.
  const small = world(() => new Promise((resolve) => (answer = resolve)), {
    opened: stores[0],
    clock,
    concurrency: 2,
  });
  for (let at = 0; at < 6; at++) await small.ask("POST", `/v2/publish/https://a.test/${at}`);
  await expect.poll(() => small.calls.length).toBe(1);
  await expect.poll(async () => (await stores[0].waitingForRoom()).aside).toBe(5);
  // It starts later, and hears of nothing: it looks by itself.
  const large = world(() => ok(), { opened: stores[1], clock });
  await expect.poll(() => large.calls.length).toBe(5);
  answer(ok());
  for (const { engine } of [small, large]) await engine.stop();
  for (const store of stores) await store.close();
});
