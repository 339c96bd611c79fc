import { HEADER } from "@perdure/core/protocol";
import type { Context, Handler } from "hono";
import { checkDelays } from "../domain/limits.ts";
import { type Options, readOptions } from "../domain/options.ts";
import { invalid, Problem } from "../domain/problem.ts";
import { readDeadLetterQuery } from "./dlq.ts";
import { toCursor } from "./query.ts";
import type { Env, Service } from "./service.ts";
import { readHeaders } from "./submit.ts";

/**
 * `POST /v2/dlq/retry`: sends again, as new messages, those of the dead letters that match, 100 at most. Headers say what
 * is to be different. What belongs to runs is left alone: it is resumed or restarted.
 */
export function retry(service: Service): Handler<Env> {
  const { store, clock, limits } = service;
  return async (c) => {
    const query = readDeadLetterQuery(c.req.raw.url, false);
    const options = readChanges(c, service);
    const { messages, next } = await store.retry(query, options, clock.now(), limits);
    const responses = messages.map(({ id }) => ({ messageId: id }));
    return c.json({ cursor: toCursor(next).cursor ?? "", responses }, 201);
  };
}

/** As {@link retry}, for one by its id. */
export function retryOne(service: Service): Handler<Env, "/:id"> {
  const { store, clock, limits } = service;
  return async (c) => {
    const dlqId = c.req.param("id");
    const options = readChanges(c, service);
    const { messages } = await store.retry({ dlqIds: [dlqId], count: 1 }, options, clock.now(), limits);
    const [message] = messages;
    if (message) return c.json({ messageId: message.id }, 201);
    throw new Problem(
      404,
      `dead letter ${dlqId} of a message not found; that of a workflow run is resumed or restarted`,
    );
  };
}

/** What is to be different. */
function readChanges(c: Context<Env>, { limits, clock }: Service): Options {
  const options = readOptions(readHeaders(c), limits);
  checkDelays(options, clock.now(), limits);
  if (options.deduplication === undefined) return options;
  const field =
    options.deduplication === "content" ? HEADER.contentBasedDeduplication : HEADER.deduplicationId;
  throw invalid(field, "a dead letter is sent again in any case");
}
