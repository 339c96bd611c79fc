import { once } from "node:events";
import type { Server } from "node:http";
import type { Store } from "../commands/store.ts";
import { DEFAULT_BASE_PATH } from "../dashboard/index.ts";
import type { EngineServer } from "../engine.ts";
import { openSqlite } from "../open-sqlite.ts";
import { messageOf } from "../rules/thrown.ts";
import { createServer, type Tenant } from "../server.ts";
import { isPostgresUrl, withoutPassword } from "../store/postgres/location.ts";
import { StoreUnavailable } from "../store/unavailable.ts";
import { sessionSecret, withDashboard } from "./dashboard.ts";
import { ignoreFolder } from "./folder.ts";
import { JsonLogger } from "./json-logger.ts";
import { explain, giveUp, guarded, listen, unavailable, urlOf } from "./listen.ts";
import { createMetrics, type Metrics } from "./metrics.ts";
import { createOperations, type Operations } from "./operations.ts";
import { outliveReaders } from "./output.ts";
import { createReader } from "./settings.ts";
import { readStartConfig, type StartConfig, type StartFlags } from "./start-config.ts";
import { readStartFile } from "./start-file.ts";
import type { Tracing } from "./tracing.ts";
import { ConfigError } from "./values.ts";

/** Milliseconds for the last answers of the API, after everything else has stopped. */
const LAST_ANSWERS = 1000;

/**
 * Runs `perdure start` until SIGINT or SIGTERM. A failed start prints its error to stderr and exits with
 * code 1.
 */
export async function start(flags: StartFlags, version: string): Promise<void> {
  process.title = "perdure start";
  outliveReaders();
  const opened: Store[] = [];
  try {
    await run(configOf(flags), version, opened);
  } catch (error) {
    for (const store of opened) await store.close();
    if (error instanceof ConfigError) return giveUp(error.message);
    if (error instanceof StoreUnavailable) return giveUp(unavailable(error));
    throw error;
  }
}

function configOf(flags: StartFlags): StartConfig {
  const path = createReader("start", flags, process.env).one("config");
  return readStartConfig(flags, process.env, path ? readStartFile(path) : {});
}

/** @param opened receives each store that the command opens */
async function run(config: StartConfig, version: string, opened: Store[]): Promise<void> {
  const logger = new JsonLogger(config.logLevel, (line) => console.log(line));
  const metrics = createMetrics();
  const tracing = await openTracing(config, version);
  const engine = await openEngine(config, { logger, metrics, tracing }, opened);
  const operations = createOperations({
    api: guarded(
      config.dashboard ? withDashboard(engine.fetch, sessionOf(config)) : engine.fetch,
      config.browsers,
    ),
    stores: opened,
    metrics,
    metricsToken: config.metricsToken,
  });
  const listening = await listen(operations.fetch, config).catch((error: unknown) => {
    throw new ConfigError(explain(error, config), { cause: error });
  });
  for (const { store } of config.tenants) if (!isPostgresUrl(store)) ignoreFolder(store);
  engine.start();
  const { host, tenants, metricsToken } = config;
  const url = urlOf(host, listening.port);
  logger.log("info", "listening", {
    version,
    url,
    ...(config.dashboard ? { dashboard: `${url}${DEFAULT_BASE_PATH}` } : {}),
    users: tenants.map(({ user }) => user),
    databases: tenants.map(({ store }) => (isPostgresUrl(store) ? withoutPassword(store) : store)),
    metrics: metricsToken !== undefined,
  });
  stopOnSignal({ config, logger, engine, operations, server: listening.server, stores: opened, tracing });
}

/** Loads OpenTelemetry only where a collector is configured. */
async function openTracing({ otlpEndpoint }: StartConfig, version: string): Promise<Tracing | undefined> {
  if (otlpEndpoint === undefined) return undefined;
  const { createTracing } = await import("./tracing.ts");
  return createTracing(otlpEndpoint, version);
}

/** The parts that observe the engine. */
interface Observers {
  readonly logger: JsonLogger;
  readonly metrics: Metrics;
  readonly tracing: Tracing | undefined;
}

function sessionOf({ tenants }: StartConfig): { readonly secret: string } {
  return { secret: sessionSecret(tenants.flatMap(({ token }) => token)) };
}

async function openEngine(
  config: StartConfig,
  { logger, metrics, tracing }: Observers,
  opened: Store[],
): Promise<EngineServer> {
  const warn = (warning: string): void => logger.log("error", "warning", { warning });
  const tenants: Tenant[] = [];
  for (const tenant of config.tenants) {
    const store = await openStore(tenant.store, warn);
    opened.push(store);
    tenants.push({ ...tenant, store: metrics.watch(store, tenant.user) });
  }
  return createServer({
    ...config.engine,
    tenants,
    onEvent: (event, user) => {
      logger.logEvent(event, user);
      metrics.observe(event, user);
      tracing?.observe(event, user);
    },
  });
}

async function openStore(db: string, warn: (warning: string) => void): Promise<Store> {
  if (!isPostgresUrl(db)) return openSqlite(db, { warn });
  const { openPostgres } = await import("../open-postgres.ts");
  try {
    return await openPostgres(db, { warn });
  } catch (cause) {
    throw new ConfigError(
      `${reasonOf(cause)}\nThe database is ${shownUrl(db)}, set by --db, PERDURE_DB or the file.`,
      {
        cause,
      },
    );
  }
}

function reasonOf(cause: unknown): string {
  const message = messageOf(cause);
  return cause instanceof StoreUnavailable ? message : `The database can't be used: ${message}.`;
}

/** The URL of a database in an error. One that can't be parsed may have a password anywhere. */
function shownUrl(db: string): string {
  try {
    return withoutPassword(db);
  } catch {
    return "a URL that begins with postgres://";
  }
}

interface Running {
  readonly config: StartConfig;
  readonly logger: JsonLogger;
  readonly engine: EngineServer;
  readonly operations: Operations;
  readonly server: Server;
  readonly stores: readonly Store[];
  readonly tracing: Tracing | undefined;
}

function stopOnSignal(running: Running): void {
  const { config, logger, engine, operations, server, stores, tracing } = running;
  let asked = false;
  const stop = async (signal: string): Promise<void> => {
    // Second signal: exit at once. The next engine repeats the deliveries in progress.
    if (asked) process.exit(1);
    asked = true;
    logger.log("info", "stopping", { signal, deadline: config.drain });
    operations.drain();
    // Endpoints of deliveries in progress may still call the API, so the server stops after the deliveries.
    await engine.stop({ deadline: config.drain });
    await close(server);
    await tracing?.stop();
    for (const store of stores) await store.close();
    logger.log("info", "stopped");
    process.exit(0);
  };
  process.on("SIGINT", stop);
  process.on("SIGTERM", stop);
}

async function close(server: Server): Promise<void> {
  const closed = once(server, "close");
  server.close();
  server.closeIdleConnections();
  const timer = setTimeout(() => server.closeAllConnections(), LAST_ANSWERS);
  await closed;
  clearTimeout(timer);
}
