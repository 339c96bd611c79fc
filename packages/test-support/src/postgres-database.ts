import { randomUUID } from "node:crypto";
import postgres from "postgres";
import { inject } from "vitest";
import type {} from "./postgres-setup.ts";

/** Creates an empty schema in a database of the project's server. @returns its URL */
export function newDatabase(): string {
  const url = new URL(inject("postgresUrl"));
  // The engine creates the schema when it opens the database.
  url.searchParams.set("schema", `s${randomUUID().replaceAll("-", "")}`);
  return url.href;
}

/** Makes the tables of a schema empty. `TRUNCATE` would take ten times as long. */
const EMPTY = `DO $$
  DECLARE name text;
  BEGIN
    FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'SCHEMA' AND tablename <> 'schema_version' LOOP
      EXECUTE format('DELETE FROM %I.%I', 'SCHEMA', name);
    END LOOP;
  END $$`;

/** Deletes all rows of a database of {@link newDatabase} that no engine uses: making tables takes longer than most tests. */
export async function emptyDatabase(url: string): Promise<void> {
  const { searchParams } = new URL(url);
  const sql = postgres(inject("postgresUrl"), { max: 1 });
  await sql.unsafe(EMPTY.replaceAll("SCHEMA", searchParams.get("schema") ?? "public"));
  await sql.end();
}
