import { type Context, type Handler, Hono } from "hono";
import { Problem } from "../domain/problem.ts";
import { requireToken } from "./auth.ts";
import { batch } from "./batch.ts";
import { listDeadLetters } from "./dlq.ts";
import { getKeys } from "./keys.ts";
import { deleteMessage, getMessage } from "./messages.ts";
import { publish } from "./publish.ts";
import { endRun, getRun } from "./runs.ts";
import type { Bindings, Env, Service } from "./service.ts";
import { trigger } from "./trigger.ts";
import { listRuns } from "./workflow-logs.ts";

type Verb = "GET" | "POST" | "DELETE";

/** The whole API: path, verb, handler. */
function routes(service: Service): Record<string, Partial<Record<Verb, Handler<Env, never>>>> {
  return {
    "/v2/publish/*": { POST: publish(service) },
    "/v2/batch": { POST: batch(service) },
    "/v2/trigger/*": { POST: trigger(service) },
    "/v2/messages/:id": { GET: getMessage(service), DELETE: deleteMessage(service) },
    "/v2/workflows/runs/:id": { GET: getRun(service), DELETE: endRun(service) },
    "/v2/workflows/events": { GET: listRuns(service) },
    "/v2/workflows/logs": { GET: listRuns(service) },
    "/v2/dlq": { GET: listDeadLetters(service) },
    "/v2/keys": { GET: getKeys(service) },
  };
}

/** The engine's API as a function of requests. */
export function createApp(
  service: Service,
): (request: Request, bindings?: Bindings) => Response | Promise<Response> {
  const app = new Hono<Env>();
  app.use("/v2/*", requireToken(service.token));
  for (const [path, verbs] of Object.entries(routes(service))) {
    for (const [verb, handler] of Object.entries(verbs)) app.on(verb, path, handler as Handler<Env>);
    app.all(path, (c) => {
      c.header("Allow", Object.keys(verbs).join(", "));
      return refuse(
        c,
        new Problem(405, `method ${c.req.method} not allowed: ${path} takes ${Object.keys(verbs)}`),
      );
    });
  }
  app.notFound((c) => refuse(c, new Problem(404, `not found: ${c.req.method} ${c.req.path}`)));
  app.onError((error, c) => {
    if (error instanceof Problem) return refuse(c, error);
    service.emit({ type: "fault", during: `${c.req.method} ${c.req.path}`, error });
    return c.json({ error: "internal error: see the engine's log" }, 500);
  });
  return (request, bindings) => app.fetch(request, bindings ?? {});
}

function refuse(c: Context<Env>, { status, message }: Problem): Response {
  return c.json({ error: message }, status);
}
