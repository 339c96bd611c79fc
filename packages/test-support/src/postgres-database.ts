import { randomUUID } from "node:crypto";
import postgres from "postgres";
import { inject } from "vitest";
import type {} from "./postgres-setup.ts";

let uses = 0;

/** How often this process has begun to use a database. */
export function usesOfDatabases(): number {
  return uses;
}

/** Counts the use of a database that a test has used before. */
export function countUse(): void {
  uses++;
}

/** Creates an empty schema in a database of the project's server. @returns its URL */
export function newDatabase(): string {
  countUse();
  const url = new URL(inject("postgresUrl"));
  // The engine creates the schema when it opens the database.
  url.searchParams.set("schema", `s${randomUUID().replaceAll("-", "")}`);
  return url.href;
}

const named = new Map<string, string>();

/** The database of a name, which is new when it is first asked for. @returns its URL */
export function databaseNamed(name: string): string {
  const url = named.get(name) ?? newDatabase();
  countUse();
  named.set(name, url);
  return url;
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
  countUse();
  const { searchParams } = new URL(url);
  const sql = postgres(inject("postgresUrl"), { max: 1 });
  await sql.unsafe(EMPTY.replaceAll("SCHEMA", searchParams.get("schema") ?? "public"));
  await sql.end();
}
