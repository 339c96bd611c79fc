import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { newDatabase } from "@perdure/test-support/postgres-database";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { moveDatabase, openPostgres } from "../../src/index.ts";
import { useDesk } from "../cli/desk.ts";
import { withClient } from "./database.ts";

const { run: runCommand } = useDesk();

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "perdure move "));
});
afterEach(() => rmSync(folder, { recursive: true }));

const file = (name: string): string => join(folder, name);
const schemaOf = (url: string): string => new URL(url).searchParams.get("schema") ?? "";

/** All that a schema has, and whether it is there. */
function contentOf(url: string): Promise<unknown> {
  return withClient(
    url,
    (sql) => sql`SELECT nspname AS schema, relname AS name FROM pg_namespace
      LEFT JOIN pg_class ON relnamespace = pg_namespace.oid WHERE nspname = ${schemaOf(url)} ORDER BY relname`,
  ).then((rows) => [...rows]);
}

describe("the source of a move on PostgreSQL", () => {
  it.each([
    ["that isn't there", []],
    ["that is empty", ["CREATE SCHEMA"]],
    ["of another program", ["CREATE SCHEMA", "CREATE TABLE schema_version (version integer)"]],
    [
      "of another program with tables of the same names",
      [
        "CREATE SCHEMA",
        "CREATE TABLE schema_version (installed_rank integer, version text)",
        "CREATE TABLE runs (id integer)",
      ],
    ],
  ])("is refused with a schema %s, and nothing is written to it", async (_, statements) => {
    const url = newDatabase();
    await withClient(url, async (sql) => {
      for (const statement of statements)
        await sql.unsafe(statement === "CREATE SCHEMA" ? `CREATE SCHEMA ${schemaOf(url)}` : statement);
    });
    const before = await contentOf(url);
    await expect(moveDatabase({ from: url, to: file("back.db") })).rejects.toThrow(
      `The database has no tables of an engine in the schema "${schemaOf(url)}".`,
    );
    expect(await contentOf(url)).toEqual(before);
    expect(existsSync(file("back.db"))).toBe(false);
  });

  it("is refused by the command although an engine works in the schema that is meant", async () => {
    const url = newDatabase();
    const store = await openPostgres(url);
    const mistyped = url.slice(0, -1);
    const moving = runCommand(["move", "--from", mistyped, "--to", file("back.db")]);
    expect(await moving.exit()).toBe(1);
    expect(moving.said()).toContain(`no tables of an engine in the schema "${schemaOf(mistyped)}"`);
    await store.close();
    await moveDatabase({ from: url, to: file("back.db") });
  });

  it("is refused in the schema of the search path, which the error names", async () => {
    const url = new URL(newDatabase());
    url.searchParams.delete("schema");
    await expect(moveDatabase({ from: url.href, to: file("back.db") })).rejects.toThrow(
      'The database has no tables of an engine in the schema "public".',
    );
  });
});

describe("a file as the source of a move", () => {
  it.each([
    ["is empty", () => writeFileSync(file("source.db"), ""), "it is an empty file"],
    [
      "isn't an engine's",
      () => {
        const db = new DatabaseSync(file("source.db"));
        db.exec("CREATE TABLE runs (id)");
        db.close();
      },
      "it is a SQLite database, but not one that this engine has made",
    ],
    ["isn't a database", () => writeFileSync(file("source.db"), "text ".repeat(100)), "it is not a database"],
  ])("is refused when it %s, and stays as it was", async (_, make, reason) => {
    make();
    const before = readFileSync(file("source.db"));
    const url = newDatabase();
    await expect(moveDatabase({ from: file("source.db"), to: url })).rejects.toThrow(reason);
    expect(readFileSync(file("source.db"))).toEqual(before);
    expect(await contentOf(url)).toEqual([]);
  });
});
