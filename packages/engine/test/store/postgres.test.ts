import { afterAll } from "vitest";
import { createPostgresStore } from "../../src/open-postgres.ts";
import { PostgresDriver } from "../../src/store/postgres/driver.ts";
import { migrate } from "../../src/store/postgres/migrate.ts";
import { conformance } from "./conformance.ts";
import { openPglite } from "./pglite.ts";

const database = await openPglite();
afterAll(() => database.close());

conformance("PostgreSQL", async () => {
  const session = await database.session();
  await migrate(session);
  return createPostgresStore(new PostgresDriver({ writers: [session], readers: [session] }));
});
