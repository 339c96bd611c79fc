import type { NotifyResponse, Waiter } from "@perdure/core/protocol";
import type { Handler } from "hono";
import { invalid, Problem } from "../domain/problem.ts";
import { toWait } from "../domain/wait.ts";
import type { Waiting } from "../store/store.ts";
import { readBody } from "./body.ts";
import type { Env, Service } from "./service.ts";
import { announce, callerIpOf, decode, readHeaders } from "./submit.ts";

/** `POST /v2/wait/{eventId}`: has a step of a run recorded when the event comes, or a time is over. */
export function wait(service: Service): Handler<Env> {
  const { store, clock, limits } = service;
  return async (c) => {
    const now = clock.now();
    const eventId = decode(pathAfter(c.req.raw.url, "/v2/wait/"));
    const request = {
      headers: readHeaders(c),
      body: await readBody(c.req.raw, limits.requestBytes),
      callerIp: callerIpOf(c),
      now,
    };
    const { messageId, deduplicated, recorded } = await store.wait(toWait(eventId, request, limits), now);
    announce(recorded, service);
    return c.json({ messageId, ...(deduplicated ? { deduplicated } : {}) });
  };
}

/**
 * `POST /v2/notify/{eventId}`: everybody who waits is told; nobody who comes later. `/v2/notify/{runId}/{eventId}`: the
 * first in that run that waits, or will.
 */
export function notify(service: Service): Handler<Env> {
  const { store, clock, limits } = service;
  return async (c) => {
    const target = await readTarget(pathAfter(c.req.raw.url, "/v2/notify/"), service);
    const data = await readBody(c.req.raw, limits.requestBytes);
    const told = await store.notify({ ...target, data }, clock.now());
    if (told.kind !== "told") {
      throw new Problem(404, `workflow run ${target.runId} not found: it has ended, or never was`);
    }
    announce(told.recorded, service);
    return c.json(told.waiters.map(toAnswer), 201);
  };
}

/** `GET /v2/waiters/{eventId}`: who waits. */
export function getWaiters({ store }: Service): Handler<Env> {
  return async (c) => {
    const eventId = decode(pathAfter(c.req.raw.url, "/v2/waiters/"));
    return c.json((await store.waiters(eventId)).map(toWaiter));
  };
}

/** An event's id may hold a slash that wasn't escaped: what is before it is a run's id only if there is such a run. */
async function readTarget(path: string, { store }: Service): Promise<{ runId?: string; eventId: string }> {
  const slash = path.indexOf("/");
  if (slash < 0) return { eventId: decode(path) };
  const runId = decode(path.slice(0, slash));
  const known = runId.startsWith("wfr_") || (await store.runs({ ids: [runId], count: 1 })).items.length > 0;
  return known ? { runId, eventId: decode(path.slice(slash + 1)) } : { eventId: decode(path) };
}

function pathAfter(url: string, prefix: string): string {
  const raw = url.slice(url.indexOf(prefix) + prefix.length);
  const [path] = raw.split(/[?#]/, 1);
  if (path) return path;
  throw invalid("event id", "it is empty");
}

function toAnswer(waiting: Waiting): NotifyResponse & { readonly workflowCreatedAt: number } {
  const { run, wait } = waiting;
  return {
    waiter: toWaiter(waiting),
    messageId: wait.message.id,
    workflowRunId: run.id,
    workflowCreatedAt: run.createdAt,
  };
}

function toWaiter({ wait }: Waiting): Waiter {
  return {
    url: wait.message.url,
    deadline: Math.floor(wait.deadline / 1000),
    headers: wait.timeoutHeaders,
    timeoutUrl: wait.timeoutUrl,
    timeoutBody: wait.timeoutBody ?? null,
    timeoutHeaders: wait.timeoutHeaders,
  };
}
