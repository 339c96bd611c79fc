import { type Context, Hono } from "hono";
import { TrieRouter } from "hono/router/trie-router";
import { EngineError, invalid } from "../rules/engine-error.ts";
import { requireToken } from "./auth.ts";
import { describe, type OpenApi } from "./document.ts";
import { isAmbiguous, pathOf } from "./path.ts";
import { limitRates } from "./rates.ts";
import { INTERNAL_ERROR, toRefusal } from "./refusal.ts";
import type { Routes } from "./route.ts";
import { ROUTES } from "./routes.ts";
import { serve } from "./serve.ts";
import type { Bindings, Env, Service } from "./service.ts";
import { STATUS } from "./status.ts";

/** The engine's API as a function of requests. */
export function createApp(
  service: Service,
): (request: Request, bindings?: Bindings) => Response | Promise<Response> {
  const app = new Hono<Env>({
    // Hono's default first builds a router that can't have these routes.
    router: new TrieRouter(),
    getPath: (request, options) => pathOf(request, options?.env),
  });
  let document: OpenApi | undefined;
  app.get("/openapi.json", (c) => {
    document ??= describe(ROUTES);
    return c.json(document);
  });
  const isOpen = (verbs: Routes[string]): boolean => Object.values(verbs).every(({ open }) => open);
  const all = Object.entries(ROUTES);
  // Open routes come before the middleware that requires a token.
  for (const [path, verbs] of all.filter(([, verbs]) => isOpen(verbs))) mount(app, path, verbs, service);
  app.use("/v2/*", requireToken(service.tokens), limitRates(service));
  for (const [path, verbs] of all.filter(([, verbs]) => !isOpen(verbs))) mount(app, path, verbs, service);
  app.notFound((c) =>
    refuse(
      c,
      isAmbiguous(c.req.path)
        ? invalid("path", "it has dot segments, backslashes, empty segments or needless escapes")
        : new EngineError("not_found", `not found: ${c.req.method} ${c.req.path}`),
    ),
  );
  app.onError((error, c) => {
    const refusal = toRefusal(error, `${c.req.method} ${c.req.path}`, service.emit);
    return refusal ? refuse(c, refusal) : c.json({ error: INTERNAL_ERROR }, 500);
  });
  return (request, bindings) => app.fetch(request, bindings ?? {});
}

function mount(app: Hono<Env>, path: string, verbs: Routes[string], service: Service): void {
  for (const [verb, route] of Object.entries(verbs)) app.on(verb, path, serve(path, route, service));
  app.all(path, (c) => {
    c.header("Allow", Object.keys(verbs).join(", "));
    return refuse(
      c,
      new EngineError(
        "method_not_allowed",
        `method ${c.req.method} not allowed: ${path} takes ${Object.keys(verbs)}`,
      ),
    );
  });
}

function refuse(c: Context<Env>, { code, message, facts }: EngineError): Response {
  if (facts.retryAfter !== undefined) c.header("Retry-After", String(facts.retryAfter));
  return c.json({ error: message }, STATUS[code]);
}
