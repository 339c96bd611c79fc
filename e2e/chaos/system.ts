import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { startPostgres } from "@perdure/test-support/postgres-server";
import { CLI, Process, steadyPort } from "@perdure/test-support/process";
import { RoundRobin } from "./proxy.ts";

const ENDPOINT = fileURLToPath(new URL("endpoint.ts", import.meta.url));

export const TOKEN = "token-of-the-chaos-tests";
const KEYS = { current: "sig_current_0123456789abcdef", next: "sig_next_0123456789abcdef" };

/** A process with a supervisor, which starts it again until it is up. */
export class Supervised {
  readonly name: string;
  readonly #start: () => Process;
  readonly #isUp: RegExp;
  #process: Process | undefined;

  constructor(name: string, start: () => Process, isUp: RegExp) {
    this.name = name;
    this.#start = start;
    this.#isUp = isUp;
  }

  async start(): Promise<void> {
    for (;;) {
      this.#process = this.#start();
      try {
        await this.#process.line(this.#isUp);
        return;
      } catch {
        // Its database may be away.
        await new Promise((resolve) => setTimeout(resolve, 200));
      }
    }
  }

  /** Kills it as a power cut would. */
  async kill(): Promise<void> {
    await this.#process?.kill("SIGKILL");
  }

  /** Stops it as an operator does. @returns its exit code */
  async stop(): Promise<number | null> {
    return (await this.#process?.kill("SIGTERM")) ?? null;
  }

  freeze(): void {
    void this.#process?.kill("SIGSTOP");
  }

  thaw(): void {
    void this.#process?.kill("SIGCONT");
  }
}

/** Engines, an endpoint and their database. */
export interface System {
  /** The address of the engines. */
  readonly url: string;
  /** The address of the endpoint. */
  readonly endpointUrl: string;
  readonly engines: readonly Supervised[];
  readonly endpoint: Supervised;
  /** Absent where the database has no process of its own. */
  readonly restartDatabase?: () => Promise<void>;
  stop(): Promise<void>;
}

export interface SystemOptions {
  readonly store: "sqlite" | "postgres";
  /** A folder for the database and the history. */
  readonly folder: string;
  /** The file for the endpoint's history. */
  readonly history: string;
  /** True to wait for the disk at each commit of PostgreSQL. */
  readonly durable: boolean;
}

/** Starts one engine on SQLite, or two on PostgreSQL behind a load balancer, and an endpoint. */
export async function startSystem(options: SystemOptions): Promise<System> {
  return options.store === "sqlite" ? startOnSqlite(options) : startOnPostgres(options);
}

async function startOnSqlite({ folder, history }: SystemOptions): Promise<System> {
  const port = await steadyPort();
  const url = `http://127.0.0.1:${port}`;
  const engines = [engineAt("the engine", port, join(folder, "engine.db"))];
  const { endpoint, endpointUrl } = await endpointOf(url, history);
  await Promise.all([...engines, endpoint].map((one) => one.start()));
  return {
    url,
    endpointUrl,
    engines,
    endpoint,
    stop: async () => void (await Promise.all([...engines, endpoint].map((one) => one.kill()))),
  };
}

async function startOnPostgres({ history, durable }: SystemOptions): Promise<System> {
  const server = await startPostgres({ durable });
  const ports = [await steadyPort(), await steadyPort()];
  const proxy = await RoundRobin.start(ports);
  const engines = ports.map((port, at) => engineAt(`engine ${at + 1}`, port, server.url));
  const { endpoint, endpointUrl } = await endpointOf(proxy.url, history);
  await Promise.all([...engines, endpoint].map((one) => one.start()));
  return {
    url: proxy.url,
    endpointUrl,
    engines,
    endpoint,
    restartDatabase: () => server.restart(),
    async stop() {
      await Promise.all([...engines, endpoint].map((one) => one.kill()));
      await proxy.stop();
      await server.stop();
    },
  };
}

function engineAt(name: string, port: number, db: string): Supervised {
  const env = {
    PERDURE_TOKEN: TOKEN,
    PERDURE_CURRENT_SIGNING_KEY: KEYS.current,
    PERDURE_NEXT_SIGNING_KEY: KEYS.next,
    PERDURE_DB: db,
    PERDURE_PORT: String(port),
    PERDURE_ALLOW_DESTINATIONS: "127.0.0.1",
  };
  return new Supervised(name, () => Process.node(CLI, ["start"], env), /"event":"listening"/);
}

async function endpointOf(
  engineUrl: string,
  history: string,
): Promise<Pick<System, "endpoint" | "endpointUrl">> {
  const port = await steadyPort();
  const env = {
    PERDURE_URL: engineUrl,
    PERDURE_TOKEN: TOKEN,
    PERDURE_CURRENT_SIGNING_KEY: KEYS.current,
    PERDURE_NEXT_SIGNING_KEY: KEYS.next,
    PORT: String(port),
    HISTORY: history,
  };
  const endpoint = new Supervised("the endpoint", () => Process.node(ENDPOINT, [], env), /^listening$/);
  return { endpoint, endpointUrl: `http://127.0.0.1:${port}` };
}
