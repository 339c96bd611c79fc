import { randomBytes } from "node:crypto";
import { checkFunction } from "@perdure/core/protocol";
import { pathOf } from "../http/path.ts";
import type { Bindings } from "../http/service.ts";
import { checkOptions, checkSecret, mustBeKind } from "../rules/check-options.ts";
import { type Assets, readAssets } from "./assets.ts";
import { API, callEngine } from "./engine-route.ts";
import { LoginLimit } from "./login-limit.ts";
import { servePage } from "./page-route.ts";
import { crossOriginReason } from "./same-origin.ts";
import { createSessions } from "./session.ts";
import { serveSession } from "./session-route.ts";
import { SECURITY_HEADERS } from "./shell.ts";
import { type DashboardEngine, type Parts, refuse, type Visit } from "./visit.ts";

export type { DashboardEngine } from "./visit.ts";

/** Options of {@link createDashboard}. */
export interface DashboardOptions {
  /** The path of the page, without a slash at its end; `""` for the root. Default: `/dashboard`. */
  readonly basePath?: string;
  /**
   * Skips the login: the page acts with this token. Only for development, and for an app that checks its
   * users before it calls the dashboard. Default: a user logs in with one of the engine's tokens.
   */
  readonly token?: string;
  /**
   * Names the user of a request, for the audit log: in an app that checks its users itself. Default: the name that a user
   * gives at the login.
   */
  readonly user?: (request: Request) => string | undefined | Promise<string | undefined>;
  /**
   * Encrypts the session cookies. Engines behind one address need the same secret. Default: a random one, so
   * that a restart ends all sessions.
   */
  readonly secret?: string;
  /** Returns the time in milliseconds since 1970. Default: the machine's clock. */
  readonly now?: () => number;
}

/** Answers the requests of a dashboard. `bindings` has the client's address, by which failed logins count. */
export type Dashboard = (request: Request, bindings?: Bindings) => Promise<Response>;

/** The path of the dashboard of `perdure dev` and `perdure start`. */
export const DEFAULT_BASE_PATH = "/dashboard";

const BASE_PATH = /^(?:\/[\w.~-]+)*$/;

/**
 * Creates the dashboard of an engine: a page, its session, and the engine's API for this page. It reads and
 * changes only by the HTTP API, with the token of the user.
 *
 * @throws TypeError for an unknown option, or a base path that is no path
 * @example
 * ```ts
 * const dashboard = createDashboard(engine, { basePath: "/admin/workflows" });
 * const answer = await dashboard(new Request("http://engine/admin/workflows/"));
 * ```
 */
export function createDashboard(engine: DashboardEngine, options: DashboardOptions = {}): Dashboard {
  checkOptions("createDashboard", options, "basePath token user secret now");
  const { basePath = DEFAULT_BASE_PATH, token, user, secret = randomBytes(32), now = Date.now } = options;
  if (typeof Object(engine).fetch !== "function") throw mustBeKind("engine", "an engine or a server", engine);
  if (token !== undefined) checkSecret("token", token);
  if (user !== undefined) checkFunction("user", user);
  if (options.secret !== undefined) checkSecret("secret", options.secret);
  checkFunction("now", now);
  if (!BASE_PATH.test(basePath)) {
    throw new TypeError(
      `basePath must be a path such as "/dashboard", without a slash at its end; got ${JSON.stringify(basePath)}`,
    );
  }
  const sessions = createSessions({ path: basePath === "" ? "/" : basePath, secret, now });
  const parts: Parts = { engine, basePath, token, user, sessions, limit: new LoginLimit(now) };
  let assets: Assets | undefined;
  return async (request, bindings) => {
    assets ??= readAssets();
    const answer = await route({ request, bindings, parts }, assets);
    for (const [name, value] of Object.entries(SECURITY_HEADERS)) answer.headers.set(name, value);
    return answer;
  };
}

async function route(visit: Visit, assets: Assets | undefined): Promise<Response> {
  const { request, bindings, parts } = visit;
  const path = pathOf(request, bindings);
  if (path !== parts.basePath && !path.startsWith(`${parts.basePath}/`))
    return refuse(404, `not found: ${path}`);
  const rest = path.slice(parts.basePath.length);
  const isSession = rest === "/session";
  if (!isSession && !rest.startsWith(`${API}/`)) return servePage(rest, visit, assets);
  const reason = crossOriginReason(request);
  if (reason !== undefined) return refuse(403, `forbidden: ${reason}`);
  return isSession ? serveSession(visit) : callEngine(visit);
}
