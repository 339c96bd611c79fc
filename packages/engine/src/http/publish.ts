import { HEADER } from "@perdure/core/protocol";
import type { Context, Handler } from "hono";
import type { IntakeRequest } from "../domain/draft.ts";
import { toName } from "../domain/name.ts";
import { invalid } from "../domain/problem.ts";
import { isScheduled } from "../domain/schedule.ts";
import { resolve, toAnswers } from "./destinations.ts";
import { createSchedule } from "./schedules.ts";
import type { Env, Service } from "./service.ts";
import { decode, readSubmission, submit } from "./submit.ts";

/**
 * `POST /v2/publish/{url or url group}`: a message, the start of a run, or a step of one; with a cron expression a
 * schedule.
 */
export function publish(service: Service): Handler<Env> {
  return async (c) => send(c, await readSubmission(c, "/v2/publish/", service), service);
}

/** `POST /v2/enqueue/{queue}/{url}`: as {@link publish}, for a message that waits in a queue for its turn. */
export function enqueue(service: Service): Handler<Env> {
  return async (c) => {
    const request = await readSubmission(c, "/v2/enqueue/", service);
    const slash = request.destination.indexOf("/");
    if (slash < 0) throw invalid("path", "expected /v2/enqueue/{queue}/{url}");
    const queue = toName(decode(request.destination.slice(0, slash)), "queue");
    const headers = new Map(request.headers).set(HEADER.queueName.toLowerCase(), queue);
    return send(c, { ...request, headers, destination: request.destination.slice(slash + 1) }, service);
  };
}

/** 202 for what is there already. */
async function send(c: Context<Env>, request: IntakeRequest, service: Service): Promise<Response> {
  if (isScheduled(request.headers)) return c.json(await createSchedule(request, service));
  const asked = await resolve(request, service);
  const receipts = await submit(asked.intakes, service);
  const known = receipts.every(({ deduplicated }) => deduplicated);
  return c.json(toAnswers(asked, receipts), known ? 202 : 200);
}
