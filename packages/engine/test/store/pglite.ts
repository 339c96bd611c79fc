import { PGlite } from "@electric-sql/pglite";
import type { PostgresSession } from "../../src/store/postgres/connection.ts";

const INT8 = 20;
const BYTEA = 17;

/** PostgreSQL in this process, on one connection: enough for what statements mean, not for contention. */
export async function openPglite(): Promise<Pglite> {
  const db = await PGlite.create({
    parsers: {
      [INT8]: (value: string) => Number(value),
      [BYTEA]: (value: string) => new Uint8Array(Buffer.from(value.slice("\\x".length), "hex")),
    },
  });
  return new Pglite(db);
}

export class Pglite {
  readonly #db: PGlite;
  #schemas = 0;

  constructor(db: PGlite) {
    this.#db = db;
  }

  /** A session on a schema of its own, which is as good as an empty database. */
  async session(): Promise<PostgresSession> {
    const schema = `store_${this.#schemas++}`;
    await this.#db.exec(`CREATE SCHEMA ${schema}; SET search_path TO ${schema}`);
    return {
      query: async (text, values) => {
        const { rows, affectedRows = 0 } = await this.#db.query(text, [...values]);
        return { rows, changes: affectedRows };
      },
      close: async () => {
        await this.#db.exec(`DROP SCHEMA ${schema} CASCADE`);
      },
    };
  }

  close(): Promise<void> {
    return this.#db.close();
  }
}
