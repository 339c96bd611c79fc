// For each file of a project whose suites run on PostgreSQL as well as on SQLite: a suite that opens a store by itself, and not by
// the project's means, would pass there without a database.
import { afterAll, beforeAll, expect } from "vitest";
import { usesOfDatabases } from "./postgres-database.ts";

let before = 0;
beforeAll(() => {
  before = usesOfDatabases();
});
afterAll(() => {
  expect(usesOfDatabases(), "databases of PostgreSQL that this file has used").toBeGreaterThan(before);
});
