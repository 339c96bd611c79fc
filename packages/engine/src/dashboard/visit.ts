import type { Bindings } from "../http/service.ts";
import type { LoginLimit } from "./login-limit.ts";
import type { Sessions } from "./session.ts";

/** The engine, or several, that a dashboard shows. */
export interface DashboardEngine {
  fetch(request: Request, bindings?: Bindings): Promise<Response>;
}

/** A dashboard, as its routes see it. */
export interface Parts {
  readonly engine: DashboardEngine;
  readonly basePath: string;
  /** The token that all requests act with, of a dashboard without a login. */
  readonly token: string | undefined;
  /** Names the user of a request, for an app that has checked its users. */
  readonly user: ((request: Request) => string | undefined | Promise<string | undefined>) | undefined;
  readonly sessions: Sessions;
  readonly limit: LoginLimit;
}

/** A request to a dashboard. */
export interface Visit {
  readonly request: Request;
  readonly bindings: Bindings | undefined;
  readonly parts: Parts;
}

/** The user who is behind a request: the app's own, or the name that was given at the login. */
export async function personOf({ request, parts: { user, sessions } }: Visit): Promise<string | undefined> {
  return (await user?.(request)) ?? sessions.of(request)?.name;
}

export function refuse(status: number, error: string, headers: Record<string, string> = {}): Response {
  return Response.json({ error }, { status, headers: { "Cache-Control": "no-store", ...headers } });
}
