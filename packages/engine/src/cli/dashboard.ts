import { createHash } from "node:crypto";
import { createDashboard, type DashboardOptions, DEFAULT_BASE_PATH } from "../dashboard/index.ts";
import { pathOf } from "../http/path.ts";
import type { Api } from "./listen.ts";

/** Serves the dashboard beside an API. A browser that asks for `/` gets to the dashboard. */
export function withDashboard(api: Api, options: Pick<DashboardOptions, "token" | "secret">): Api {
  const dashboard = createDashboard({ fetch: (request, bindings = {}) => api(request, bindings) }, options);
  return async (request, bindings) => {
    const path = pathOf(request, bindings);
    if (path === DEFAULT_BASE_PATH || path.startsWith(`${DEFAULT_BASE_PATH}/`))
      return dashboard(request, bindings);
    if (path === "/" && request.method === "GET" && request.headers.get("accept")?.includes("text/html"))
      return new Response(null, { status: 302, headers: { Location: `${DEFAULT_BASE_PATH}/` } });
    return api(request, bindings);
  };
}

/** Returns the secret of sessions: the same for all engines with these tokens, another one for other tokens. */
export function sessionSecret(tokens: readonly string[]): string {
  return createHash("sha256").update(JSON.stringify(tokens)).digest("hex");
}
