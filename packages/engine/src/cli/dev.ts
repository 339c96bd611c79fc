import { once } from "node:events";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { createAdaptorServer, type HttpBindings } from "@hono/node-server";
import { type Config, ConfigError, type Flags, readConfig } from "../config.ts";
import { createEngine, type Engine } from "../engine.ts";
import { StoreUnavailable } from "../store/store.ts";
import { banner } from "./banner.ts";
import { Narrator } from "./lines.ts";

/** Milliseconds for what is under way when a stop is asked for. */
const DEADLINE = 5000;

/** `perdure dev`: runs until SIGINT or SIGTERM. What goes wrong at the start is one line and the exit code 1. */
export async function dev(flags: Flags, version: string): Promise<void> {
  // As it is called, so that it is found in a list of processes.
  process.title = "perdure dev";
  let config: Config;
  let engine: Engine;
  try {
    config = readConfig(flags, process.env);
    engine = openEngine(config);
  } catch (error) {
    if (error instanceof ConfigError) return giveUp(error.message);
    if (error instanceof StoreUnavailable) {
      return giveUp(`${error.message}\nGive this engine another one: --db <file>`);
    }
    throw error;
  }
  const server = createAdaptorServer({
    fetch: (request, bindings) => engine.fetch(request, { callerIp: callerIpOf(bindings as HttpBindings) }),
    overrideGlobalObjects: false,
  }) as Server;
  try {
    server.listen(config.port, config.host);
    await once(server, "listening");
  } catch (error) {
    await engine.stop({ deadline: 0 });
    return giveUp(explain(error, config));
  }
  const { port } = server.address() as AddressInfo;
  if (config.logLevel !== "silent") console.log(banner({ config, port, version }));
  engine.start();
  stopOnSignal(server, engine, config);
}

function openEngine(config: Config): Engine {
  const narrator = new Narrator(config.logLevel);
  return createEngine({
    store: config.db,
    token: config.token,
    signingKeys: config.signingKeys,
    onEvent: (event) => {
      const line = narrator.tell(event);
      if (line === undefined) return;
      if (event.type === "fault") console.error(line);
      else console.log(line);
    },
  });
}

function callerIpOf({ incoming }: HttpBindings): string | undefined {
  // A socket for both versions writes an address of version 4 in its own way.
  return incoming.socket.remoteAddress?.replace(/^::ffff:/, "");
}

function stopOnSignal(server: Server, engine: Engine, { logLevel }: Config): void {
  let asked = false;
  const stop = async (): Promise<void> => {
    // Asked again: what is under way will be delivered again.
    if (asked) process.exit(0);
    asked = true;
    if (logLevel === "info" || logLevel === "debug") console.log("Stopping. Once more to stop at once.");
    // Endpoints that are being called may still have something to say: the API goes last.
    await engine.stop({ deadline: DEADLINE });
    server.close();
    server.closeAllConnections();
    process.exit(0);
  };
  process.on("SIGINT", stop);
  process.on("SIGTERM", stop);
}

function explain(error: unknown, { host, port }: Config): string {
  const code = (error as NodeJS.ErrnoException).code;
  if (code === "EADDRINUSE") {
    return `Port ${port} on ${host} is taken.\nChoose another one: --port ${port === 65_535 ? 8080 : port + 1}, or any that is free: --port 0`;
  }
  if (code === "EACCES")
    return `Port ${port} on ${host} may not be used by this user.\nChoose another one: --port 8080`;
  return `The engine can't listen on ${host}:${port}: ${(error as Error).message}`;
}

function giveUp(message: string): void {
  console.error(message);
  process.exitCode = 1;
}
