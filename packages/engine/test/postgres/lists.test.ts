import { newDatabase } from "@perdure/test-support/postgres-database";
import { afterEach, expect, it } from "vitest";
import { ClientSession } from "../../src/store/postgres/client.ts";
import { PostgresDriver } from "../../src/store/postgres/driver.ts";
import { readLocation } from "../../src/store/postgres/location.ts";
import { sql } from "../../src/store/tx.ts";

const ends: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

function open(readers: number): PostgresDriver {
  const location = readLocation(newDatabase());
  const sessions = Array.from({ length: readers + 1 }, () => new ClientSession(location, { name: "lists" }));
  const driver = new PostgresDriver({ writers: sessions.slice(0, 1), readers: sessions.slice(1) });
  ends.push(() => driver.close());
  return driver;
}

it("a list that takes too long ends with an error, and the next one has its own time", async () => {
  const driver = open(1);
  driver.limitLists(50);
  await expect(driver.list((tx) => tx.one(sql`SELECT pg_sleep(60)`))).rejects.toMatchObject({
    code: "query_timeout",
    message: expect.stringContaining("longer than 0.05s"),
  });
  // The session has its usual limit again.
  expect(await driver.read((tx) => tx.one(sql`SHOW statement_timeout`))).toEqual({
    statement_timeout: "30s",
  });
  expect(await driver.list((tx) => tx.one(sql`SELECT 1 AS one`))).toEqual({ one: 1 });
});

it("lists leave half of the sessions to other reads", async () => {
  const driver = open(4);
  let release = (): void => {};
  const gate = new Promise<void>((resolve) => (release = resolve));
  const stuck = Array.from({ length: 10 }, () => driver.list(() => gate));
  const reads = Array.from({ length: 10 }, () => driver.read((tx) => tx.one(sql`SELECT 2 AS two`)));
  expect(await Promise.all(reads)).toEqual(Array(10).fill({ two: 2 }));
  release();
  await Promise.all(stuck);
});
