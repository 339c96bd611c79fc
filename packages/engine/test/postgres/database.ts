import { randomUUID } from "node:crypto";
import postgres from "postgres";
import { inject } from "vitest";

/** Creates an empty schema in a database of the project's server. @returns its URL */
export function newDatabase(): string {
  const url = new URL(inject("postgresUrl"));
  // The engine creates the schema when it opens the database.
  url.searchParams.set("schema", `s${randomUUID().replaceAll("-", "")}`);
  return url.href;
}

/** Runs `work` with a client of its own beside the engines. */
export async function withClient<T>(url: string, work: (sql: postgres.Sql) => Promise<T>): Promise<T> {
  const location = new URL(url);
  const schema = location.searchParams.get("schema");
  location.searchParams.delete("schema");
  const sql = postgres(location.href, {
    max: 2,
    onnotice: () => {},
    connection: schema === null ? {} : { search_path: schema },
  });
  try {
    return await work(sql);
  } finally {
    await sql.end();
  }
}
