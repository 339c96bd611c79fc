import { existsSync } from "node:fs";
import type { Server } from "node:http";
import { isPublicSecret } from "@perdure/core/protocol";
import type { EngineServer } from "../engine.ts";
import { isLoopback } from "../http/browser-guard.ts";
import { createServer } from "../server.ts";
import { StoreUnavailable } from "../store/unavailable.ts";
import { type AppProcess, startApp } from "./app-process.ts";
import { appVariables, banner } from "./banner.ts";
import { ConsoleReporter } from "./console-reporter.ts";
import { sessionSecret, withDashboard } from "./dashboard.ts";
import { type Config, type DevFlags, readConfig } from "./dev-config.ts";
import { ignoreFolder } from "./folder.ts";
import { explain, giveUp, guarded, type Listening, listen, unavailable } from "./listen.ts";
import { outliveReaders } from "./output.ts";
import { devTenants } from "./users.ts";
import { ConfigError } from "./values.ts";

/** Milliseconds that deliveries in progress get to end after a signal to stop. */
const DEADLINE = 5000;

/**
 * Runs `perdure dev` until SIGINT or SIGTERM, or until the app of `perdure dev -- <command>` ends. On a failed
 * start it prints one line and exits with code 1.
 *
 * @param command the app's command; empty for the engine alone
 */
export async function dev(flags: DevFlags, command: readonly string[], version: string): Promise<void> {
  // The title helps to find the process in a process list.
  process.title = "perdure dev";
  outliveReaders();
  let config: Config;
  let engine: EngineServer;
  let isRestart: boolean;
  try {
    config = readConfig(flags, process.env);
    isRestart = existsSync(config.db);
    engine = openEngine(config);
  } catch (error) {
    if (error instanceof ConfigError) return giveUp(error.message);
    if (error instanceof StoreUnavailable) return giveUp(unavailable(error));
    throw error;
  }
  let listening: Listening;
  try {
    listening = await listen(
      guarded(withDashboard(engine.fetch, sessionOf(config)), config.browsers),
      config,
    );
  } catch (error) {
    await engine.stop({ deadline: 0 });
    return giveUp(explain(error, config));
  }
  if (config.logLevel !== "silent") {
    const hasApp = command.length > 0;
    console.log(banner({ config, port: listening.port, version, hasApp }));
  }
  warnIfExposed(config);
  ignoreFolder(config.db);
  const tells = config.logLevel === "info" || config.logLevel === "debug";
  // A list begins a thread, which a new database has no use for.
  if (isRestart && tells) void tellOfRuns(engine, config);
  engine.start();
  const stop = createStop(listening.server, engine, config);
  const { port } = listening;
  const app = command.length > 0 ? startApp(command, appVariables({ config, port })) : undefined;
  stopOnSignal(stop, app, config);
  if (app) await stop(await app.ended);
}

const MAX_COUNTED = 100;

/** Prints after a restart how many runs continue. The engine need not wait for it. */
async function tellOfRuns(engine: EngineServer, { token }: Config): Promise<void> {
  const query = `groupBy=workflowRunId&state=RUN_STARTED&count=${MAX_COUNTED}&toDate=${Date.now() - 1}`;
  const request = new Request(`http://localhost/v2/workflows/events?${query}`, {
    headers: { Authorization: `Bearer ${token}` },
  });
  const { runs = [], cursor } = (await (await engine.fetch(request)).json()) as {
    readonly runs?: readonly unknown[];
    readonly cursor?: string;
  };
  if (runs.length === 0) return;
  const [count, are] = runs.length === 1 ? ["1 run", "is"] : [`${runs.length} runs`, "are"];
  console.log(`${cursor ? "More than " : ""}${count} ${are} under way.`);
}

/** A public token needs no login: everybody knows it. */
function sessionOf({ token }: Config): { readonly token?: string; readonly secret: string } {
  const secret = sessionSecret([token]);
  return isPublicSecret(token) ? { token, secret } : { secret };
}

function warnIfExposed({ host, token }: Config): void {
  if (isLoopback(host) || !isPublicSecret(token)) return;
  console.error(
    `WARNING: this engine listens on ${host}, and its token is the public one of development: everybody who reaches that address can read and run everything. Give it a token of its own: --token <token>, or PERDURE_TOKEN.`,
  );
}

function openEngine(config: Config): EngineServer {
  const { stdout } = process;
  const reporter = new ConsoleReporter(config.logLevel, Date.now, () =>
    stdout.isTTY ? stdout.columns : undefined,
  );
  return createServer({
    ...config.engine,
    tenants: devTenants(config),
    onEvent: (event) => {
      const line = reporter.report(event);
      if (line === undefined) return;
      if (event.type === "fault") console.error(line);
      else console.log(line);
    },
  });
}

/** Ends the process with an exit code. A second call ends it at once. */
type Stop = (exitCode: number) => Promise<void>;

function createStop(server: Server, engine: EngineServer, { logLevel }: Config): Stop {
  let asked = false;
  return async (exitCode) => {
    // The next engine repeats the deliveries in progress.
    if (asked) process.exit(exitCode);
    asked = true;
    if (logLevel === "info" || logLevel === "debug") console.log("Stopping. Once more to stop at once.");
    // Endpoints of deliveries in progress may still call the API, so the API stops last.
    await engine.stop({ deadline: DEADLINE });
    server.close();
    server.closeAllConnections();
    process.exit(exitCode);
  };
}

function stopOnSignal(stop: Stop, app: AppProcess | undefined, { logLevel }: Config): void {
  let signals = 0;
  const onSignal = (signal: NodeJS.Signals): void => {
    signals += 1;
    if (!app) void stop(0);
    else if (signals > 1) app.signal("SIGKILL");
    else {
      if (logLevel === "info" || logLevel === "debug")
        console.log("Stopping the app, then the engine. Once more to kill the app.");
      // A terminal sends Ctrl-C to the app, too.
      if (signal !== "SIGINT" || !process.stdin.isTTY) app.signal(signal);
    }
  };
  process.on("SIGINT", onSignal);
  process.on("SIGTERM", onSignal);
}
