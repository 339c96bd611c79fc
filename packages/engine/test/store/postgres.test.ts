import { afterAll } from "vitest";
import { openPostgres } from "../../src/open-postgres.ts";
import { conformance } from "./conformance.ts";
import { openPglite } from "./pglite.ts";

const database = await openPglite();
afterAll(() => database.close());

conformance("PostgreSQL", async () => openPostgres(await database.session()));
