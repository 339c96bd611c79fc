import { PGlite } from "@electric-sql/pglite";
import type { PostgresSession } from "../../src/store/postgres/session.ts";
import { decodeText } from "../../src/store/postgres/text.ts";
import { EMPTY, MAKE_EMPTY } from "../postgres/tables.ts";

const INT8 = 20;
const BYTEA = 17;
const TEXT = 25;

/** PostgreSQL in this process, on one connection: enough for what statements mean, not for contention. */
export async function openPglite(): Promise<Pglite> {
  const db = await PGlite.create({
    parsers: {
      [INT8]: (value: string) => Number(value),
      [TEXT]: decodeText,
      [BYTEA]: (value: string) => new Uint8Array(Buffer.from(value.slice("\\x".length), "hex")),
    },
  });
  return new Pglite(db);
}

export class Pglite {
  readonly #db: PGlite;
  /** Schemas whose tables are there, and empty. */
  readonly #empty: string[] = [];
  /** Schemas that know how to make their tables empty. */
  readonly #prepared = new Set<string>();
  #schemas = 0;

  constructor(db: PGlite) {
    this.#db = db;
  }

  /** A session on a schema of its own, which is as good as an empty database. */
  async session(): Promise<PostgresSession> {
    const schema = this.#empty.pop() ?? `store_${this.#schemas++}`;
    await this.#db.exec(`CREATE SCHEMA IF NOT EXISTS ${schema}; SET search_path TO ${schema}`);
    return {
      losses: 0,
      connect: async () => {},
      query: async (text, values) => {
        const { rows, affectedRows = 0 } = await this.#db.query(text, [...values]);
        return { rows, changes: affectedRows };
      },
      close: async () => {
        if (!this.#prepared.has(schema)) await this.#db.exec(MAKE_EMPTY);
        this.#prepared.add(schema);
        await this.#db.exec(EMPTY);
        this.#empty.push(schema);
      },
    };
  }

  close(): Promise<void> {
    return this.#db.close();
  }
}
