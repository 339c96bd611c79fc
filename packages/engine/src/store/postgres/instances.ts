import { differencesBetween, type SharedConfiguration } from "../../rules/shared-configuration.ts";
import { type Sql, sql, type Tx } from "../tx.ts";
import type { PostgresDriver } from "./driver.ts";

/** Milliseconds between the heartbeats of an engine. */
const BEAT_MS = 2000;

/** Milliseconds without a heartbeat after which an engine counts as dead. With {@link BEAT_MS}, a takeover begins within 9 seconds. */
const DEAD_AFTER_MS = 7000;

/** Milliseconds for which one engine keeps a term of housekeeping. */
const TERM_MS = 90_000;

/** Milliseconds since 1970 by the clock of the database, which all engines share. */
const DATABASE_NOW = sql`CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint)`;

/** Selects the engines that work on the database. */
export function liveEngines(): Sql {
  return sql`SELECT id FROM engines WHERE seen_at >= ${DATABASE_NOW} - ${DEAD_AFTER_MS}`;
}

/** The objects that {@link Instances} uses. */
export interface InstancesOptions {
  /** Runs on a connection of its own: a heartbeat never waits for the engine's work. */
  readonly driver: PostgresDriver;
  /** The id of this engine. It owns the engine's leases. */
  readonly id: string;
  /** Gives back some of the leases of an engine, on another connection: that may take its time. @returns whether it had any */
  readonly release: (owner: string) => Promise<boolean>;
  /** Called with the difference between the clock of the database and this machine's, in milliseconds. */
  readonly onOffset: (offset: number) => void;
}

/**
 * The engines that share a database. Each one has a row with the time of its last heartbeat, by the clock of the database.
 * The others give back the leases of an engine whose heartbeat stops.
 */
export class Instances {
  readonly #options: InstancesOptions;
  #timer: ReturnType<typeof setInterval> | undefined;
  #beating: Promise<void> | undefined;
  #takingOver: Promise<void> | undefined;
  /** The {@link SharedConfiguration} as JSON; null until the engine has told it. */
  #configuration: string | null = null;
  /** Milliseconds that the fastest heartbeat took. */
  #fastest = Number.POSITIVE_INFINITY;

  constructor(options: InstancesOptions) {
    this.#options = options;
  }

  /** Registers this engine, and begins its heartbeat. */
  async start(): Promise<void> {
    // The first heartbeat also connects, which takes too long to tell the time.
    await this.#beat();
    await this.#beat();
    this.#timer = setInterval(() => {
      // A database that is away is reported by the engine's work. The next heartbeat registers the engine again.
      this.#beating ??= this.#beat()
        .catch(() => {})
        .finally(() => (this.#beating = undefined));
      // A takeover may last: it waits for runs whose locks others have. The heartbeat goes on meanwhile.
      this.#takingOver ??= this.#takeOver()
        .catch(() => {})
        .finally(() => (this.#takingOver = undefined));
    }, BEAT_MS).unref();
  }

  /** Gives back this engine's leases, and removes its row: the others go on at once. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all([this.#beating, this.#takingOver]);
    await this.#remove(this.#options.id).catch(() => {});
  }

  /** Registers this engine's configuration. @returns what is different in that of the other live engines, in sentences */
  async announce(configuration: SharedConfiguration): Promise<string[]> {
    const { driver, id } = this.#options;
    this.#configuration = JSON.stringify(configuration);
    await this.#beat();
    const others = await driver.read((tx) =>
      tx.all<{ readonly configuration: string }>(
        sql`SELECT configuration FROM engines WHERE id IN (${liveEngines()}) AND id <> ${id} AND configuration IS NOT NULL`,
      ),
    );
    const differences = others.flatMap((other) =>
      differencesBetween(configuration, JSON.parse(other.configuration) as SharedConfiguration),
    );
    return [...new Set(differences)];
  }

  /** Whether this engine does the housekeeping now: one engine does, until it stops or dies. */
  leads(term: string): Promise<boolean> {
    const { driver, id } = this.#options;
    return driver.write(async (tx) => {
      const changes = await tx.run(
        sql`INSERT INTO terms (name, engine, until) VALUES (${term}, ${id}, ${DATABASE_NOW} + ${TERM_MS})
          ON CONFLICT (name) DO UPDATE SET engine = excluded.engine, until = excluded.until
          WHERE terms.engine = excluded.engine OR terms.until < ${DATABASE_NOW}`,
      );
      return changes > 0;
    });
  }

  /** Writes the time of the heartbeat, in one statement, which also tells the time of the database. */
  async #beat(): Promise<void> {
    const { driver, id, onOffset } = this.#options;
    const began = Date.now();
    const row = await driver.write((tx) =>
      tx.one<{ readonly seen_at: number }>(
        sql`INSERT INTO engines (id, started_at, seen_at, configuration)
          VALUES (${id}, ${DATABASE_NOW}, ${DATABASE_NOW}, ${this.#configuration})
          ON CONFLICT (id) DO UPDATE SET seen_at = excluded.seen_at, configuration = excluded.configuration RETURNING seen_at`,
      ),
    );
    const took = Date.now() - began;
    // A slow answer tells less of the time than an earlier, faster one.
    if (!row || took > 2 * this.#fastest + 10) return;
    this.#fastest = Math.min(this.#fastest, took);
    // The server has read its clock about halfway between the request and the answer.
    onOffset(Math.round(row.seen_at - began - took / 2));
  }

  async #takeOver(): Promise<void> {
    const dead = await this.#options.driver.read((tx: Tx) =>
      tx.all<{ readonly id: string }>(
        sql`SELECT id FROM engines WHERE seen_at < ${DATABASE_NOW} - ${DEAD_AFTER_MS}`,
      ),
    );
    for (const { id } of dead) await this.#remove(id);
  }

  /** Gives back the leases of an engine, and removes its row once it has none, unless its heartbeat goes on. */
  async #remove(id: string): Promise<void> {
    const { driver, release, id: own } = this.#options;
    while (await release(id));
    await driver.write((tx) =>
      tx.run(
        sql`DELETE FROM engines WHERE id = ${id} AND (id = ${own} OR seen_at < ${DATABASE_NOW} - ${DEAD_AFTER_MS})`,
      ),
    );
    await driver.write((tx) => tx.run(sql`DELETE FROM terms WHERE engine = ${id}`));
  }
}
