import { SqliteConnection } from "./connection.ts";
import { openReader } from "./file.ts";
import { attachSearch, openIndexer } from "./search-file.ts";

/** The work of a thread beside a SQLite store. */
export interface ThreadData {
  /** The path of the database. */
  readonly path: string;
  readonly work: "lists" | "index";
}

/** Opens the connection of a thread. Its transactions begin without a lock on the database. */
export function openThreadConnection({ path, work }: ThreadData): SqliteConnection {
  const db = work === "index" ? openIndexer(path) : openReader(path);
  if (work === "lists") attachSearch(db, path);
  // The store checks the file before each operation.
  return new SqliteConnection(db, "read", { file: path, check: () => {} });
}
