import { newDatabase } from "@perdure/test-support/postgres-database";
import { expect, it } from "vitest";
import { openPostgres } from "../../src/index.ts";
import { ClientSession } from "../../src/store/postgres/client.ts";
import { PostgresDriver } from "../../src/store/postgres/driver.ts";
import { readLocation } from "../../src/store/postgres/location.ts";
import { CLAIMABLE_MESSAGES } from "../../src/store/tables/rows.ts";
import { SKIP_LOCKED, sql } from "../../src/store/tx.ts";

it("a claim reads the rows that it takes in their order, and sorts none of the others", async () => {
  const url = newDatabase();
  await (await openPostgres(url)).close();
  const session = new ClientSession(readLocation(url), { name: "test" });
  const driver = new PostgresDriver({ writers: [session], readers: [session] });
  const plan = await driver.write(async (tx) => {
    // The tables are empty, and the planner would read all of nothing.
    for (const way of ["seqscan", "bitmapscan", "hashjoin", "mergejoin"])
      await tx.run(sql`SELECT set_config(${`enable_${way}`}, 'off', true)`);
    return tx.all<object>(
      sql`EXPLAIN ${CLAIMABLE_MESSAGES} WHERE due.at <= ${tx.now} ORDER BY due.at, due.message LIMIT 32 ${SKIP_LOCKED}`,
    );
  });
  const text = JSON.stringify(plan);
  expect(text).toContain("Index Scan using due_at");
  expect(text).not.toContain("Sort");
  await driver.close();
});
