import { newDatabase } from "@perdure/test-support/postgres-database";
import type { Store } from "../../src/commands/store.ts";
import { openPostgres } from "../../src/index.ts";
import { createPostgresStore } from "../../src/open-postgres.ts";
import { ClientSession } from "../../src/store/postgres/client.ts";
import { PostgresDriver } from "../../src/store/postgres/driver.ts";
import { readLocation } from "../../src/store/postgres/location.ts";
import { destinations } from "../store/destinations.ts";

/** The ways of joining that leave the planner nothing but to read a subquery again for each row. */
const WITHOUT = ["hashjoin", "mergejoin", "hashagg", "sort", "material"].map((way) => `enable_${way}`);

async function openWithLoops(): Promise<Store> {
  const url = newDatabase();
  await (await openPostgres(url)).close();
  const session = new ClientSession(readLocation(url), { name: "test" });
  await session.connect();
  for (const way of WITHOUT) await session.query("SELECT set_config($1, 'off', false)", [way]);
  return createPostgresStore(new PostgresDriver({ writers: [session], readers: [session] }));
}

destinations("PostgreSQL that joins by loops", openWithLoops);
