import type { Handler } from "hono";
import { resolve, toAnswers } from "./destinations.ts";
import type { Env, Service } from "./service.ts";
import { readSubmission, submit } from "./submit.ts";

/**
 * `POST /v2/publish/{url or url group}`: a message, the start of a run, or a step of one. 202 for what is there already.
 */
export function publish(service: Service): Handler<Env> {
  return async (c) => {
    const asked = await resolve(await readSubmission(c, "/v2/publish/", service), service);
    const receipts = await submit(asked.intakes, service);
    const known = receipts.every(({ deduplicated }) => deduplicated);
    return c.json(toAnswers(asked, receipts), known ? 202 : 200);
  };
}
