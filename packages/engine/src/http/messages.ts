import type { Handler } from "hono";
import { Problem } from "../domain/problem.ts";
import type { Env, Service } from "./service.ts";
import { announce } from "./submit.ts";
import { messageView } from "./views.ts";

/** `GET /v2/messages/{id}`: what is on its way, or has arrived a short while ago. */
export function getMessage({ store, clock, retention }: Service): Handler<Env, "/v2/messages/:id"> {
  return async (c) => {
    const id = c.req.param("id");
    const found = await store.message(id, clock.now() - retention.messages);
    if (!found) throw unknown(id);
    return c.json(messageView(found.message, found.run, found.entry ?? found.message.body));
  };
}

/** `DELETE /v2/messages/{id}`. A run that is left with nothing to do is canceled with it. */
export function deleteMessage(service: Service): Handler<Env, "/v2/messages/:id"> {
  const { store, clock, emit } = service;
  return async (c) => {
    const id = c.req.param("id");
    const { canceled, runId, recorded } = await store.cancelMessage(id, clock.now());
    if (!canceled) throw unknown(id);
    if (runId !== undefined) emit({ type: "run.canceled", runId });
    announce(recorded, service);
    return c.json({ cancelled: 1 });
  };
}

function unknown(id: string): Problem {
  return new Problem(404, `message ${id} not found`);
}
