import { SqliteConnection } from "./connection.ts";
import { openReader } from "./file.ts";

/** The work of a thread beside a SQLite store. */
export interface ThreadData {
  /** The path of the database. */
  readonly path: string;
}

/** Opens the connection of a thread. */
export function openThreadConnection({ path }: ThreadData): SqliteConnection {
  // The store checks the file before each operation.
  return new SqliteConnection(openReader(path), "read", { file: path, check: () => {} });
}
