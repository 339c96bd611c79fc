import postgres from "postgres";
import { fifoCache } from "../fifo-cache.ts";
import type { SqlValue } from "../tx.ts";
import { failureOf } from "./faults.ts";
import type { PostgresLocation } from "./location.ts";
import { ConnectionLost } from "./retries.ts";
import type { PostgresSession, StatementResult } from "./session.ts";
import { decodeText } from "./text.ts";

/** Milliseconds after which the server ends a transaction whose engine is silent: a frozen engine holds no locks for longer. */
const IDLE_IN_TRANSACTION_MS = 5000;

/** Milliseconds for which a statement waits for a lock at most. */
export const LOCK_TIMEOUT_MS = 10_000;

/** Milliseconds for which a statement runs at most: a list with a filter that no index serves ends with an error. */
export const STATEMENT_TIMEOUT_MS = 30_000;

/**
 * Milliseconds without any answer after which a connection with statements under way is given up: the server limits each statement to
 * {@link STATEMENT_TIMEOUT_MS}, so a network or a machine between them is gone. The operating system would wait a quarter of an hour.
 */
const SILENCE_MS = STATEMENT_TIMEOUT_MS + 5000;

/** The parts of {@link SILENCE_MS}. A process that was stopped itself finds that one part is over, and reads the answers. */
const SILENT_TICKS = 7;

/** Limits of every session. Behind a pooler, each transaction sets them. */
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

/** The error (SQLSTATE) of a change on a server, or in a database, that is read-only. */
const READ_ONLY = "25006";

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

/**
 * Settings of a session that only changes things:
 *
 * 1. Each of its statements has an index, and a table that is small now, such as `due` or `run_leases`, is read by many of them:
 *    the planner would read the whole table each time, and keep to that when it grows.
 * 2. Statements keep their plans for a while ({@link PLANS_WAIT_MS}). With a list among its parameters, a statement would be planned
 *    anew each time: measured, that takes as long as the rest of an append.
 * 3. No statement is worth further processes. Among many sleeping messages a kept plan would begin some for each claim.
 */
const FOR_WRITERS = {
  enable_seqscan: "off",
  plan_cache_mode: "force_generic_plan",
  max_parallel_workers_per_gather: "0",
};

/**
 * Milliseconds for which a session has waited for its statements when it has their plans made anew. A plan that was made for an
 * empty table may read all of it: after a burst of messages, it would until the server has analyzed the table. Statements with such
 * a plan cost so much at most. An engine that has little to do keeps good plans for several runs: measured, a run that comes alone
 * takes a fifth longer when its statements are planned.
 */
const PLANS_WAIT_MS = 100;

/** Milliseconds for which plans are kept at least: under load, statements wait so long within a fraction of it. */
const PLANS_MS = 2000;

/** The settings of one client. */
export interface ClientSettings {
  /** Whether it is a session for changes: its statements keep their plans, which read tables by indexes. */
  readonly writes?: boolean;
  /** The name that the database's administrator sees. */
  readonly name: string;
  /** Milliseconds in place of {@link SILENCE_MS}; `Infinity` for statements that may take any time. */
  readonly silence?: number;
  /** Called with each notification on a channel that the session listens on. */
  readonly onNotify?: (payload: string) => void;
}

/** Creates a client of postgres.js with one connection, which the first statement opens. */
export function createClient(
  location: PostgresLocation,
  { name, writes = false, onNotify }: ClientSettings,
  onClose: () => void = () => {},
): postgres.Sql {
  return postgres(location.url, {
    max: 1,
    // The client must not end a connection between the statements of a transaction.
    max_lifetime: null,
    idle_timeout: 0,
    connect_timeout: CONNECT_TIMEOUT_S,
    backoff: () => RECONNECT_S,
    // Statements above the default wait in the client, which would run them on its next connection after a loss.
    max_pipeline: Number.MAX_SAFE_INTEGER,
    fetch_types: false,
    prepare: !location.pooled,
    types: TYPES,
    onnotice: () => {},
    onclose: onClose,
    onnotify: (_channel: string, payload: string) => onNotify?.(payload),
    connection: {
      application_name: name,
      ...(location.schema === undefined ? {} : { search_path: `"${location.schema}"` }),
      ...(location.pooled ? {} : { ...SESSION_LIMITS, default_transaction_isolation: "read committed" }),
      ...(writes && !location.pooled ? FOR_WRITERS : {}),
    },
  } as postgres.Options<Record<string, postgres.PostgresType>>);
}

/**
 * A session over TCP, by postgres.js. Each connection has a client of its own: after a loss, a client may keep statements that
 * it never ends, or send those that waited in it on its next connection, outside of their transaction.
 */
export class ClientSession implements PostgresSession {
  readonly #location: PostgresLocation;
  readonly #settings: ClientSettings;
  #client: postgres.Sql | undefined;
  #isPrepared = countUses();
  /** Ends each statement that has no result yet. */
  readonly #pending = new Set<(error: ConnectionLost) => void>();
  #planned = performance.now();
  /** Milliseconds for which statements have been waited for since then, each for itself. */
  #waited = 0;
  #watch: ReturnType<typeof setInterval> | undefined;
  /** Parts of the longest silence that have passed without an answer. */
  #silent = 0;
  #losses = 0;
  #connected = false;

  constructor(location: PostgresLocation, settings: ClientSettings) {
    this.#location = location;
    this.#settings = settings;
  }

  get losses(): number {
    return this.#losses;
  }

  async connect(): Promise<void> {
    if (this.#connected) return;
    const { rows } = await this.query(
      "SELECT current_setting('transaction_read_only') AS read_only",
      [],
    ).catch((error: unknown) => {
      // The client may not have closed it yet. It would run a further statement on another one, which nobody ends.
      this.#drop();
      throw error;
    });
    if ((rows[0] as { readonly read_only: string }).read_only === "on") {
      // The address may name another server by the next attempt.
      this.#drop();
      throw failureOf(Object.assign(new Error("the server takes no changes"), { code: READ_ONLY }));
    }
    this.#connected = true;
  }

  async query(text: string, values: readonly SqlValue[]): Promise<StatementResult> {
    const began = performance.now();
    try {
      this.#replan(began);
      const use = this.#isPrepared(text);
      // The first use may be the only one.
      const prepare = use.uses++ > 0;
      const result = await this.#orLost(this.#open().unsafe(text, values as SqlValue[], { prepare }));
      return { rows: result, changes: result.count };
    } catch (cause) {
      // The server was a primary before.
      if (Object(cause).code === READ_ONLY) this.#drop();
      throw cause instanceof ConnectionLost ? cause : failureOf(cause);
    } finally {
      this.#waited += performance.now() - began;
    }
  }

  async close(): Promise<void> {
    clearInterval(this.#watch);
    await this.#client?.end({ timeout: 1 });
  }

  /** Tells the server to make its plans anew, now and then, before the next statement. */
  #replan(now: number): void {
    const { writes = false } = this.#settings;
    if (!writes || this.#location.pooled) return;
    if (this.#waited < PLANS_WAIT_MS || now - this.#planned < PLANS_MS) return;
    this.#planned = now;
    this.#waited = 0;
    // In a transaction that has failed it fails too, and the next statement says why.
    this.#orLost(this.#open().unsafe("DISCARD PLANS")).catch(() => {});
  }

  #open(): postgres.Sql {
    if (this.#client) return this.#client;
    const client = createClient(this.#location, this.#settings, () => this.#lose(client));
    this.#client = client;
    return client;
  }

  #lose(client: postgres.Sql): void {
    if (this.#client !== client) return;
    this.#client = undefined;
    this.#isPrepared = countUses();
    this.#losses++;
    this.#connected = false;
    void client.end({ timeout: 0 });
    const sent = [...this.#pending];
    // The client has an error of its own for most of them.
    setImmediate(() => {
      for (const end of sent) end(new ConnectionLost());
    });
  }

  /** Gives up the connection. */
  #drop(): void {
    if (this.#client) this.#lose(this.#client);
  }

  /** Waits for the result of a statement, or for the loss of its connection. */
  #orLost<Result>(result: PromiseLike<Result>): Promise<Result> {
    return new Promise((resolve, reject) => {
      this.#pending.add(reject);
      this.#listen();
      result.then(resolve, reject).then(() => {
        this.#pending.delete(reject);
        this.#silent = 0;
      });
    });
  }

  /** Notices when a server that has statements under way says nothing more. */
  #listen(): void {
    const { silence = SILENCE_MS } = this.#settings;
    if (this.#watch || silence === Number.POSITIVE_INFINITY) return;
    this.#silent = 0;
    this.#watch = setInterval(() => {
      if (this.#pending.size === 0) {
        clearInterval(this.#watch);
        this.#watch = undefined;
      } else if (++this.#silent >= SILENT_TICKS) this.#drop();
    }, silence / SILENT_TICKS).unref();
  }
}

const countUses = (): ((text: string) => { uses: number }) => fifoCache(MAX_PREPARED, () => ({ uses: 0 }));
