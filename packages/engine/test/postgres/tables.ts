import { countUse, newDatabase } from "@perdure/test-support/postgres-database";
import { releaseLeasesOf } from "../../src/commands/release-leases.ts";
import { createPostgresStore, type PostgresStore } from "../../src/open-postgres.ts";
import { migrations } from "../../src/store/migrations.ts";
import { ClientSession } from "../../src/store/postgres/client.ts";
import { PostgresDriver } from "../../src/store/postgres/driver.ts";
import { type PostgresLocation, readLocation } from "../../src/store/postgres/location.ts";
import { migrate } from "../../src/store/postgres/migrate.ts";
import type { PostgresSession } from "../../src/store/postgres/session.ts";

type OpenedStore = Omit<PostgresStore, "clock">;

/** Sessions of an engine: half of them write, half of them read. A single one does both. */
const SESSIONS = 4;

/**
 * Makes a function in a schema, for {@link EMPTY}. Its statements are planned once for each session, and not each time:
 * planning them takes longer than to carry them out.
 */
export const MAKE_EMPTY = `DO $$
  DECLARE
    deletions text;
    keys text;
  BEGIN
    SELECT string_agg(format('DELETE FROM %I.%I;', schemaname, tablename), ' ') INTO deletions
      FROM pg_tables WHERE schemaname = current_schema AND tablename <> 'schema_version';
    SELECT string_agg(format('PERFORM setval(%L, 1, false);', format('%I.%I', schemaname, sequencename)), ' ') INTO keys
      FROM pg_sequences WHERE schemaname = current_schema;
    EXECUTE format(
      'CREATE OR REPLACE FUNCTION empty_tables() RETURNS void LANGUAGE plpgsql AS %L',
      format('BEGIN %s %s END', deletions, keys)
    );
  END $$`;

/** Makes the tables empty, and begins their keys at 1 again. `TRUNCATE` would take ten times as long. */
export const EMPTY = "SELECT empty_tables()";

/** Copies all rows from the schema SOURCE, with the next keys. */
const COPY = `DO $$
  DECLARE name text;
  BEGIN
    FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = current_schema AND tablename <> 'schema_version' LOOP
      EXECUTE format('INSERT INTO %I OVERRIDING SYSTEM VALUE SELECT * FROM SOURCE.%I', name, name);
    END LOOP;
    PERFORM setval(format('%I.%I', current_schema, sequencename)::regclass, last_value)
      FROM pg_sequences WHERE schemaname = 'SOURCE' AND last_value IS NOT NULL;
  END $$`;

/**
 * The tables of one engine after another, in a schema of their own. It keeps its connections, because connecting and
 * making tables takes longer than most tests.
 */
export class Tables {
  readonly #location: PostgresLocation;
  readonly #sessions: readonly ClientSession[];
  #made = false;
  #owner: string | undefined;
  #source: Tables | undefined;
  #prepared: Promise<void> | undefined;

  /** @param url of an empty database */
  constructor(url: string = newDatabase(), sessions: number = SESSIONS) {
    this.#location = readLocation(url);
    this.#sessions = Array.from(
      { length: sessions },
      () => new ClientSession(this.#location, { name: "test" }),
    );
  }

  /** Opens a store whose tables are empty. */
  open(): OpenedStore {
    this.#prepared = undefined;
    return this.#store(() => this.#empty());
  }

  /** Takes over the rows of other tables when a store is opened next by {@link reopen}. */
  copyWhenUsed(source: Tables): void {
    this.#source = source;
  }

  /** Opens a store in place of that of an engine which has died, whose leases it gives back, as a takeover does. */
  reopen(now: () => number): OpenedStore {
    const dead = this.#owner;
    this.#prepared = undefined;
    const source = this.#source;
    this.#source = undefined;
    return this.#store(async () => {
      if (source) return this.#copy(source);
      if (dead === undefined) return;
      const driver = new PostgresDriver({ writers: this.#sessions, readers: this.#sessions });
      driver.useClock(now);
      while (await releaseLeasesOf(driver, dead));
    });
  }

  /** All rows, by their tables. */
  async rows(): Promise<Record<string, readonly unknown[]>> {
    const [session] = this.#sessions;
    if (session === undefined) return {};
    const named = await session.query(
      "SELECT tablename AS name FROM pg_tables WHERE schemaname = current_schema AND tablename <> 'schema_version'",
      [],
    );
    const names = named.rows.map((row) => (row as { readonly name: string }).name);
    const rows = names.map(
      async (name) => [name, (await session.query(`SELECT * FROM "${name}"`, [])).rows] as const,
    );
    return Object.fromEntries(await Promise.all(rows));
  }

  #store(prepare: () => Promise<void>): OpenedStore {
    countUse();
    const sessions = this.#sessions.map((session) => this.#lend(session, prepare));
    const half = Math.floor(sessions.length / 2);
    const driver = new PostgresDriver({
      writers: sessions.slice(0, half || 1),
      readers: sessions.slice(half),
    });
    const store = createPostgresStore(driver);
    this.#owner = store.instance;
    return store;
  }

  /** A session that is prepared when it is first used, and that an engine may close. */
  #lend(session: PostgresSession, prepare: () => Promise<void>): PostgresSession {
    return {
      get losses() {
        return session.losses;
      },
      connect: async () => {
        this.#prepared ??= prepare();
        await this.#prepared;
        await session.connect();
      },
      query: (text, values) => session.query(text, values),
      close: async () => {},
    };
  }

  async #copy(source: Tables): Promise<void> {
    await this.#empty();
    const [session] = this.#sessions;
    await session?.query(COPY.replaceAll("SOURCE", String(source.#location.schema)), []);
  }

  async #empty(): Promise<void> {
    const [session] = this.#sessions;
    if (session === undefined) return;
    if (this.#made) {
      await session.query(EMPTY, []);
      return;
    }
    await migrate(session, migrations("postgres"), this.#location.schema);
    await session.query(MAKE_EMPTY, []);
    this.#made = true;
  }
}
