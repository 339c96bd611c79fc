import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { toNode } from "@perdure/adapters/node";
import { type ServeOptions, serve, type WorkflowFunction } from "@perdure/core";
import {
  createDashboard,
  createEngine,
  type DashboardOptions,
  type Engine,
  type EngineOptions,
  fetchTransport,
  ManualClock,
} from "@perdure/engine";

export const TOKEN = "token-of-the-dashboard-tests";
export const READ_ONLY = "read-only-token-of-the-tests";
const KEYS = { current: "sig_of_the_dashboard_tests_1", next: "sig_of_the_dashboard_tests_2" };

/** The origin that the workflows of a world are served at. No request leaves the process for it. */
export const APP = "https://shop.example";

type Handler = (request: Request) => Promise<Response>;

/** How an endpoint finds the engine, and checks that a request is the engine's. */
type Connection = Pick<ServeOptions, "qstashClient" | "keys" | "clockTolerance" | "baseUrl">;

/** Workflows at their paths. */
export interface Served {
  readonly paths: readonly string[];
  readonly serve: (connection: Connection) => Handler;
}

/** A single workflow at its path. */
export function served(
  path: string,
  workflow: WorkflowFunction<never, unknown>,
  options: ServeOptions<never, unknown> = {},
): Served {
  const serveAt = (connection: Connection): Handler =>
    serve<never, unknown>(workflow, { ...connection, ...options }).handler;
  return { paths: [path], serve: serveAt };
}

export interface WorldOptions {
  readonly served?: readonly Served[];
  readonly dashboard?: DashboardOptions;
  readonly engine?: Partial<EngineOptions>;
}

/** An engine with its dashboard on a real server, and the workflows' app in this process. */
export interface World {
  readonly engine: Engine;
  readonly clock: ManualClock;
  readonly origin: string;
  /** The address of the dashboard. */
  readonly url: string;
  /** Lets the engine work until nothing is due before `until` milliseconds from now have passed. */
  settle(ms?: number): Promise<void>;
  ask<Answer>(
    method: string,
    path: string,
    body?: unknown,
    headers?: Record<string, string>,
  ): Promise<Answer>;
  close(): Promise<void>;
}

/** Starts a world. Its pages need no login, unless the options of the dashboard say so. */
export async function openWorld({ served = [], dashboard, engine: more }: WorldOptions = {}): Promise<World> {
  const clock = (more?.clock as ManualClock | undefined) ?? new ManualClock();
  const handlers = new Map<string, Handler>();
  const engine = createEngine({
    store: ":memory:",
    token: TOKEN,
    readOnlyTokens: [READ_ONLY],
    signingKeys: KEYS,
    clock,
    transport: fetchTransport(16 * 1024 * 1024, async (request) => {
      const handler = handlers.get(new URL(request.url).pathname);
      return handler ? handler(request) : new Response("no such endpoint", { status: 404 });
    }),
    ...more,
  });
  const page = createDashboard(engine, dashboard ?? { token: TOKEN });
  const server = createServer(
    toNode((request) =>
      new URL(request.url).pathname.startsWith("/v2/") ? engine.fetch(request) : page(request),
    ),
  ).listen(0, "127.0.0.1");
  await once(server, "listening");
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const connection: Connection = {
    qstashClient: { baseUrl: origin, token: TOKEN },
    keys: KEYS,
    clockTolerance: "1d",
    baseUrl: APP,
  };
  for (const { paths, serve } of served) {
    const handler = serve(connection);
    for (const path of paths) handlers.set(path, handler);
  }
  engine.start();
  return {
    engine,
    clock,
    origin,
    url: `${origin}${dashboard?.basePath ?? "/dashboard"}`,
    async settle(ms = 0) {
      const end = clock.now() + ms;
      for (;;) {
        await engine.idle();
        const next = clock.next();
        if (next === undefined || next > end) break;
        clock.advanceToNext();
      }
      if (end > clock.now()) clock.advance(end - clock.now());
      await engine.idle();
    },
    async ask<Answer>(
      method: string,
      path: string,
      body?: unknown,
      headers: Record<string, string> = {},
    ): Promise<Answer> {
      const answer = await engine.fetch(
        new Request(`${origin}${path}`, {
          method,
          headers: { Authorization: `Bearer ${TOKEN}`, ...headers },
          ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
        }),
      );
      const text = await answer.text();
      if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
      return (text === "" ? undefined : JSON.parse(text)) as Answer;
    },
    async close() {
      await engine.stop({ deadline: 0 });
      server.closeAllConnections();
      server.close();
    },
  };
}
