import postgres from "postgres";
import { fifoCache } from "../fifo-cache.ts";
import type { SqlValue } from "../tx.ts";
import { failureOf } from "./faults.ts";
import type { PostgresLocation } from "./location.ts";
import type { PostgresSession, StatementResult } from "./session.ts";
import { decodeText } from "./text.ts";

/** Milliseconds after which the server ends a transaction whose engine is silent: a frozen engine holds no locks for longer. */
const IDLE_IN_TRANSACTION_MS = 5000;

/** Milliseconds for which a statement waits for a lock at most. */
export const LOCK_TIMEOUT_MS = 10_000;

/** Milliseconds for which a statement runs at most: a list with a filter that no index serves ends with an error. */
export const STATEMENT_TIMEOUT_MS = 30_000;

/** Limits of every session. With a pooler in transaction mode, each transaction sets them. */
export const SESSION_LIMITS = {
  idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_MS,
  lock_timeout: LOCK_TIMEOUT_MS,
  statement_timeout: STATEMENT_TIMEOUT_MS,
} as const;

/** Seconds after which an attempt to connect has failed. */
const CONNECT_TIMEOUT_S = 5;

/** Seconds between attempts of the client to connect. The driver waits longer by itself. */
const RECONNECT_S = 0.05;

/** Statements that a session keeps prepared at most: a list has one for each combination of its filters. */
const MAX_PREPARED = 1000;

const BYTEA = 17;
const INT8 = 20;
const JSON_TYPE = 114;
const NUMERIC = 1700;
const JSONB = 3802;
const TEXT = 25;

/** Reads what PostgreSQL returns as the engine's types. */
const TYPES = {
  integer: {
    to: INT8,
    from: [INT8, NUMERIC],
    serialize: (value: unknown) => String(value),
    parse: Number,
  },
  // The engine binds and reads JSON as strings.
  json: {
    to: JSON_TYPE,
    from: [JSON_TYPE, JSONB],
    serialize: String,
    parse: String,
  },
  text: { to: TEXT, from: [TEXT], serialize: String, parse: decodeText },
  bytes: {
    to: BYTEA,
    from: [BYTEA],
    serialize: (value: Uint8Array) => `\\x${Buffer.from(value).toString("hex")}`,
    parse: (value: string) => new Uint8Array(Buffer.from(value.slice("\\x".length), "hex")),
  },
};

/** The settings of one client. */
export interface ClientSettings {
  /** The name that the database's administrator sees. */
  readonly name: string;
  /** Called with each notification on a channel that the session listens on. */
  readonly onNotify?: (payload: string) => void;
}

/** Creates a client of postgres.js with one connection, which the first statement opens. */
export function createClient(
  location: PostgresLocation,
  { name, onNotify }: ClientSettings,
  onClose: () => void = () => {},
): postgres.Sql {
  return postgres(location.url, {
    max: 1,
    // The client must not end a connection between the statements of a transaction.
    max_lifetime: null,
    idle_timeout: 0,
    connect_timeout: CONNECT_TIMEOUT_S,
    backoff: () => RECONNECT_S,
    fetch_types: false,
    prepare: !location.pooled,
    types: TYPES,
    onnotice: () => {},
    onclose: onClose,
    onnotify: (_channel: string, payload: string) => onNotify?.(payload),
    connection: {
      application_name: name,
      ...(location.schema === undefined ? {} : { search_path: `"${location.schema}"` }),
      ...(location.pooled ? {} : SESSION_LIMITS),
    },
  } as postgres.Options<Record<string, postgres.PostgresType>>);
}

/** A session over TCP, by postgres.js. */
export class ClientSession implements PostgresSession {
  readonly #sql: postgres.Sql;
  readonly #isPrepared = fifoCache(MAX_PREPARED, () => ({ uses: 0 }));
  #losses = 0;
  #connected = false;

  constructor(location: PostgresLocation, settings: ClientSettings) {
    this.#sql = createClient(location, settings, () => {
      this.#losses++;
      this.#connected = false;
    });
  }

  get losses(): number {
    return this.#losses;
  }

  async connect(): Promise<void> {
    if (this.#connected) return;
    await this.query("SELECT 1", []);
    this.#connected = true;
  }

  async query(text: string, values: readonly SqlValue[]): Promise<StatementResult> {
    try {
      const use = this.#isPrepared(text);
      // The first use may be the only one.
      const result = await this.#sql.unsafe(text, values as SqlValue[], { prepare: use.uses++ > 0 });
      return { rows: result, changes: result.count };
    } catch (cause) {
      throw failureOf(cause);
    }
  }

  async close(): Promise<void> {
    await this.#sql.end({ timeout: 1 });
  }
}
