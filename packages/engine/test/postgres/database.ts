import postgres from "postgres";

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
