import { randomUUID } from "node:crypto";
import { inject } from "vitest";
import type {} from "./postgres-setup.ts";

/** Creates an empty schema in a database of the project's server. @returns its URL */
export function newDatabase(): string {
  const url = new URL(inject("postgresUrl"));
  // The engine creates the schema when it opens the database.
  url.searchParams.set("schema", `s${randomUUID().replaceAll("-", "")}`);
  return url.href;
}
