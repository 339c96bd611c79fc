import { randomUUID } from "node:crypto";
import { INDEXING } from "./commands/indexing.ts";
import { bindAll } from "./commands/operation.ts";
import { releaseLeasesOf } from "./commands/release-leases.ts";
import { checkStoreSettings, createStore, type Store, type StoreSettings } from "./commands/store.ts";
import { checkOptions, mustBeKind } from "./rules/check-options.ts";
import type { Clock } from "./rules/clock.ts";
import { migrations } from "./store/migrations.ts";
import { ClientSession, type ClientSettings, SESSION_LIMITS } from "./store/postgres/client.ts";
import { PostgresDriver, type Sessions } from "./store/postgres/driver.ts";
import { Instances } from "./store/postgres/instances.ts";
import { type PostgresLocation, readLocation } from "./store/postgres/location.ts";
import { migrate } from "./store/postgres/migrate.ts";
import { WakeUps } from "./store/postgres/wake-ups.ts";
import { systemClock } from "./system-clock.ts";

/** A store in a PostgreSQL database, for any number of engines. */
export interface PostgresStore extends Store {
  /** The clock of the database, which all its engines share. */
  readonly clock: Clock;
  /** The id of this engine, which its leases name. */
  readonly instance: string;
  /** Transactions committed so far by this engine's work. */
  readonly commits: number;
}

/** Three of an engine's connections are for heartbeats and notifications, for work in the background, and to listen. */
const OTHER_CONNECTIONS = 3;

/**
 * Opens a store in a PostgreSQL database, creates or updates its tables, and registers this process among the engines that
 * share it.
 *
 * @param url `postgres://user:password@host:5432/database`. Three parameters are the engine's: `connections` (10 by
 * default), `schema`, and `pgbouncer=true` behind PgBouncer
 * @throws TypeError that names an unknown or invalid setting
 * @throws StoreUnavailable when the server can't be reached, or a newer engine has changed the tables too much
 * @example
 * ```ts
 * const store = await openPostgres("postgres://perdure:secret@localhost:5432/perdure");
 * const engine = createEngine({ store, token, signingKeys });
 * engine.start();
 * ```
 */
export async function openPostgres(url: string, settings: StoreSettings = {}): Promise<PostgresStore> {
  // Its value may hold a password.
  if (typeof url !== "string") throw mustBeKind("url", "the URL of a database", url);
  checkOptions("openPostgres", settings, "warn excerptBytes");
  checkStoreSettings(settings);
  const location = readLocation(url);
  const instance = randomUUID();
  const warn = settings.warn ?? console.warn;
  const driver = new PostgresDriver({
    ...openSessions(location),
    onFewer: (connected, wanted, error) =>
      warn(
        `The engine works on ${connected} of ${wanted} connections, beside those for heartbeats, notifications and the background. ${error.message}`,
      ),
  });
  // Heartbeats never wait behind anything: an engine without them loses its leases.
  const control = openSingle(location, { name: "perdure control" }, driver);
  const background = openSingle(location, { name: "perdure background", writes: true }, driver);
  let schema: string;
  try {
    schema = await prepare(location);
  } catch (error) {
    await Promise.all([control.close(), background.close(), driver.close()]);
    throw error;
  }
  let offset = 0;
  const clock: Clock = { ...systemClock, now: () => Date.now() + offset };
  let now = clock.now;
  for (const one of [driver, background, control]) one.useClock(() => now());
  let stopped = false;
  let onRuns: (runIds: readonly string[]) => void = () => {};
  const wakeUps = new WakeUps({
    location,
    schema,
    driver: control,
    now: () => now(),
    onDue: (dueAt) => driver.wake(dueAt),
    onRuns: (runIds) => onRuns(runIds),
  });
  const instances = new Instances({
    driver: control,
    id: instance,
    // While the engine works, on all of its connections: the index of the search may hold up the background.
    release: (owner) => releaseLeasesOf(stopped ? control : driver, owner),
    onOffset: (ms) => (offset = ms),
  });
  for (const one of [driver, background, control]) one.onCommit((commit) => wakeUps.announce(commit));
  await instances.start();
  wakeUps.start();
  const store = createPostgresStore(driver, settings, instance);
  return {
    ...store,
    get commits() {
      return driver.commits;
    },
    clock,
    useClock: (other) => (now = other),
    onRunsChanged: (listener) => (onRuns = listener),
    async announce(configuration) {
      for (const difference of await instances.announce(configuration)) {
        warn(
          `Another engine that this database has, or had a moment ago, ${difference}. Give all engines the same configuration.`,
        );
      }
    },
    tellOthers: (event) => wakeUps.announce({ dueAt: undefined, events: [event] }),
    // Beside the transactions of runs, whose locks would be held meanwhile.
    ...bindAll(INDEXING, { driver: background, owner: instance, excerptBytes: 0 }),
    sweep: async (...args) =>
      (await instances.leads("housekeeping")) ? store.sweep(...args) : { more: false, runs: [] },
    async close() {
      await wakeUps.stopListening();
      await driver.close();
      stopped = true;
      await instances.stop();
      // The others deliver at once what this engine had under way.
      await wakeUps.flush();
      await background.close();
      await control.close();
    },
  };
}

/** Creates a store over sessions of a database that has its tables, for one engine. */
export function createPostgresStore(
  driver: PostgresDriver,
  settings: StoreSettings = {},
  instance: string = randomUUID(),
): Omit<PostgresStore, "clock"> {
  return {
    ...createStore(driver, settings, instance),
    instance,
    get commits() {
      return driver.commits;
    },
  };
}

/** A driver with one connection. When the server refuses it, the other driver does the work, if that has one. */
function openSingle(
  location: PostgresLocation,
  settings: ClientSettings,
  instead: PostgresDriver,
): PostgresDriver {
  const session = new ClientSession(location, settings);
  return new PostgresDriver({ writers: [session], readers: [session], instead });
}

function openSessions(location: PostgresLocation): Sessions {
  const count = Math.max(2, location.connections - OTHER_CONNECTIONS);
  const writers = Math.ceil(count / 2);
  const sessions = Array.from(
    { length: count },
    (_, at) => new ClientSession(location, { name: "perdure", writes: at < writers }),
  );
  const limits = Object.entries(SESSION_LIMITS).map(([name, value]) => `SET LOCAL ${name} = ${value}`);
  return {
    writers: sessions.slice(0, writers),
    readers: sessions.slice(writers),
    ...(location.pooled ? { settings: limits.join("; ") } : {}),
  };
}

/** Brings the tables to the newest schema. @returns the name of the schema that has them */
async function prepare(location: PostgresLocation): Promise<string> {
  const session = new ClientSession(location, { name: "perdure migrate", silence: Number.POSITIVE_INFINITY });
  try {
    await migrate(session, migrations("postgres"), location.schema);
    const { rows } = await session.query("SELECT current_schema AS name", []);
    return (rows[0] as { readonly name: string }).name;
  } finally {
    await session.close();
  }
}
