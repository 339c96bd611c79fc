import { type Context, type Handler, Hono } from "hono";
import { Problem } from "../domain/problem.ts";
import { describe } from "../openapi/document.ts";
import { requireToken } from "./auth.ts";
import { batch } from "./batch.ts";
import { batchTrigger } from "./batch-trigger.ts";
import { deleteMessages } from "./cancel.ts";
import { deleteDeadLetter, deleteDeadLetters, getDeadLetter, listDeadLetters } from "./dlq.ts";
import { getWaiters, notify, wait } from "./events.ts";
import { changeFlow, getFlow, getParallelism, listFlows } from "./flows.ts";
import { getKeys, rotateKeys } from "./keys.ts";
import { listLogs } from "./logs.ts";
import { deleteMessage, getMessage } from "./messages.ts";
import { enqueue, publish } from "./publish.ts";
import { deleteQueue, getQueue, listQueues, pauseQueue, putQueue } from "./queues.ts";
import { limitRates } from "./rates.ts";
import { retry, retryOne } from "./retry.ts";
import { cancelReport, repeatReport, repeatReports, repeatRollbacks, revive, reviveOne } from "./revive.ts";
import { cancelRuns, endRun, getRun } from "./runs.ts";
import { deleteSchedule, getSchedule, listSchedules, patchSchedule, postSchedule } from "./schedules.ts";
import type { Bindings, Env, Service } from "./service.ts";
import { addEndpoints, deleteTopic, getTopic, listTopics, patchTopic, removeEndpoints } from "./topics.ts";
import { trigger } from "./trigger.ts";
import { webhook } from "./webhooks.ts";
import { listRuns } from "./workflow-logs.ts";

type Verb = "GET" | "POST" | "PATCH" | "DELETE";
type Table = Record<string, Partial<Record<Verb, Handler<Env, never>>>>;

/** The whole API: path, verb, handler. What there is here is described in `openapi/`. */
function routes(service: Service): Table {
  return {
    "/v2/publish/*": { POST: publish(service) },
    "/v2/enqueue/*": { POST: enqueue(service) },
    "/v2/batch": { POST: batch(service) },
    "/v2/batch/trigger": { POST: batchTrigger(service) },
    "/v2/trigger/*": { POST: trigger(service) },
    "/v2/messages/:id": { GET: getMessage(service), DELETE: deleteMessage(service) },
    "/v2/messages": { DELETE: deleteMessages(service) },
    "/v2/topics": { GET: listTopics(service) },
    "/v2/topics/:name": {
      GET: getTopic(service),
      PATCH: patchTopic(service),
      DELETE: deleteTopic(service),
    },
    "/v2/topics/:name/endpoints": { POST: addEndpoints(service), DELETE: removeEndpoints(service) },
    "/v2/wait/*": { POST: wait(service) },
    "/v2/notify/*": { POST: notify(service) },
    "/v2/waiters/*": { GET: getWaiters(service) },
    "/v2/workflows/runs": { DELETE: cancelRuns(service) },
    "/v2/workflows/runs/:id": { GET: getRun(service), DELETE: endRun(service) },
    "/v2/workflows/events": { GET: listRuns(service) },
    "/v2/workflows/logs": { GET: listRuns(service) },
    "/v2/dlq": { GET: listDeadLetters(service), DELETE: deleteDeadLetters(service) },
    "/v2/dlq/retry": { POST: retry(service) },
    "/v2/dlq/retry/:id": { POST: retryOne(service) },
    "/v2/dlq/:id": { GET: getDeadLetter(service), DELETE: deleteDeadLetter(service) },
    "/v2/workflows/dlq": { GET: listDeadLetters(service, true), DELETE: deleteDeadLetters(service, true) },
    "/v2/workflows/dlq/resume": { POST: revive(service, "resume") },
    "/v2/workflows/dlq/resume/:id": { POST: reviveOne(service, "resume") },
    "/v2/workflows/dlq/restart": { POST: revive(service, "restart") },
    "/v2/workflows/dlq/restart/:id": { POST: reviveOne(service, "restart") },
    "/v2/workflows/dlq/rollback/:id": { POST: repeatRollbacks(service) },
    "/v2/workflows/dlq/callback": { POST: repeatReports(service) },
    "/v2/workflows/dlq/callback/:id": { POST: repeatReport(service), DELETE: cancelReport(service) },
    "/v2/workflows/dlq/:id": { GET: getDeadLetter(service, true), DELETE: deleteDeadLetter(service, true) },
    "/v2/queues": { GET: listQueues(service), POST: putQueue(service) },
    "/v2/queues/:name": { GET: getQueue(service), DELETE: deleteQueue(service) },
    "/v2/queues/:name/pause": { POST: pauseQueue(service, true) },
    "/v2/queues/:name/resume": { POST: pauseQueue(service, false) },
    "/v2/schedules": { GET: listSchedules(service) },
    "/v2/schedules/*": {
      GET: getSchedule(service),
      POST: postSchedule(service),
      PATCH: patchSchedule(service),
      DELETE: deleteSchedule(service),
    },
    "/v2/flowControl": { GET: listFlows(service) },
    "/v2/flowControl/:key": { GET: getFlow(service) },
    "/v2/flowControl/:key/:action": { POST: changeFlow(service) },
    "/v2/globalParallelism": { GET: getParallelism(service) },
    "/v2/events": { GET: listLogs(service, "events") },
    "/v2/logs": { GET: listLogs(service, "logs") },
    "/v2/keys": { GET: getKeys(service) },
    "/v2/keys/rotate": { POST: rotateKeys(service) },
  };
}

/** The engine's API as a function of requests. */
export function createApp(
  service: Service,
): (request: Request, bindings?: Bindings) => Response | Promise<Response> {
  const app = new Hono<Env>();
  const table = routes(service);
  app.get("/openapi.json", (c) => c.json(describe(routesOf(table))));
  // Whoever has a webhook's address may use it: this one comes before the lock.
  app.all("/v2/workflows/hooks/:user/:run/:event", webhook(service));
  app.use("/v2/*", requireToken(service.tokens), limitRates(service));
  for (const [path, verbs] of Object.entries(table)) {
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

/** Each as a verb and a pattern; a webhook takes any verb. */
function routesOf(table: Table): string[] {
  const hooks = ["GET", "POST", "PUT", "PATCH", "DELETE"].map((verb) => `${verb} /v2/workflows/hooks/*`);
  return [
    ...Object.entries(table).flatMap(([path, verbs]) => Object.keys(verbs).map((verb) => `${verb} ${path}`)),
    ...hooks,
  ];
}

function refuse(c: Context<Env>, { status, message }: Problem): Response {
  return c.json({ error: message }, status);
}
