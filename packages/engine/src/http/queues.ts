import type { Context, Handler } from "hono";
import { toName } from "../domain/name.ts";
import { messageOf, Problem } from "../domain/problem.ts";
import { toQueueChange } from "../domain/queue.ts";
import { readBody } from "./body.ts";
import { Query } from "./query.ts";
import type { Env, Service } from "./service.ts";

/** `GET /v2/queues`: by name. */
export function listQueues({ store }: Service): Handler<Env> {
  return async (c) => {
    new Query(c.req.raw.url, []);
    return c.json(await store.queues.list());
  };
}

/** `POST /v2/queues`: makes a queue, or changes one. */
export function putQueue({ store, clock, limits }: Service): Handler<Env> {
  return async (c) => {
    const body = toObject(await readBody(c.req.raw, limits.requestBytes));
    await store.queues.put(toQueueChange(body, limits), limits, clock.now());
    return c.json({});
  };
}

export function getQueue({ store }: Service): Handler<Env, "/:name"> {
  return async (c) => {
    const name = toName(c.req.param("name"), "queue");
    const queue = await store.queues.get(name);
    if (!queue) throw unknown(name);
    return c.json(queue);
  };
}

/** `DELETE /v2/queues/{name}`: also of one that isn't there. What waits in it is cancelled. */
export function deleteQueue({ store, clock }: Service): Handler<Env, "/:name"> {
  return async (c) => {
    await store.queues.delete(toName(c.req.param("name"), "queue"), clock.now());
    return c.json({});
  };
}

/** `POST /v2/queues/{name}/pause` and `/resume`. */
export function pauseQueue({ store, clock }: Service, paused: boolean): Handler<Env, "/:name"> {
  return async (c: Context<Env, "/:name">) => {
    const name = toName(c.req.param("name"), "queue");
    if (!(await store.queues.pause(name, paused, clock.now()))) throw unknown(name);
    return c.json({});
  };
}

function toObject(body: Uint8Array): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body));
  } catch (cause) {
    throw new Problem(400, `the queue is not JSON: ${messageOf(cause)}`, { cause });
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>;
  }
  throw new Problem(400, "the queue must be a JSON object with a queueName");
}

function unknown(name: string): Problem {
  return new Problem(404, `queue ${name} not found`);
}
