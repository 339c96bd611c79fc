import { z } from "zod";
import { NAME } from "../rules/name.ts";
import { toQueueChange } from "../rules/queue.ts";
import { json } from "./json.ts";
import { named } from "./parameters.ts";
import { type Input, type Routes, route } from "./route.ts";
import { done, time } from "./schemas.ts";
import type { Service } from "./service.ts";

const queue = z
  .object({
    name: z.string(),
    createdAt: time,
    updatedAt: time,
    parallelism: z.int(),
    paused: z.boolean(),
    lag: z.int().meta({ description: "Messages that aren't at their end." }),
  })
  .meta({ id: "Queue" });

const change = z.object({
  queueName: z.string().meta(NAME),
  parallelism: z.int().min(1).nullish(),
  paused: z.boolean().nullish(),
});

const params = { queue: named("queue") };

export const queues = {
  "/v2/queues": {
    GET: route({
      summary: "List queues, by name",
      answers: { 200: z.array(queue) },
      handle: (_, { store }) => store.queues(),
    }),
    POST: route({
      summary: "Make a queue, or change one",
      body: json("the queue", change),
      answers: { 200: done },
      async handle({ body }, { store, limits }) {
        await store.putQueue(toQueueChange(body, limits), limits);
        return {};
      },
    }),
  },
  "/v2/queues/:queue": {
    GET: route({
      summary: "Get a queue",
      params,
      answers: { 200: queue },
      handle: ({ params: { queue: name } }, { store }) => store.queue(name),
    }),
    DELETE: route({
      summary: "Delete a queue, if there is one, and cancel what waits in it",
      params,
      answers: { 200: done },
      async handle({ params: { queue: name } }, { store }) {
        await store.deleteQueue(name);
        return {};
      },
    }),
  },
  "/v2/queues/:queue/pause": {
    POST: route({
      summary: "Begin no more messages of a queue",
      params,
      answers: { 200: done },
      handle: (input, service) => pause(input, service, true),
    }),
  },
  "/v2/queues/:queue/resume": {
    POST: route({
      summary: "Go on with a queue",
      params,
      answers: { 200: done },
      handle: (input, service) => pause(input, service, false),
    }),
  },
} satisfies Routes;

async function pause(
  { params: { queue: name } }: Input<typeof params>,
  { store }: Service,
  paused: boolean,
): Promise<Record<never, never>> {
  await store.pauseQueue(name, paused);
  return {};
}
