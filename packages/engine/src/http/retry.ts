import { HEADER } from "@perdure/core/protocol";
import type { Context, Handler } from "hono";
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
export function retry({ store, clock, limits }: Service): Handler<Env> {
  return async (c) => {
    const query = readDeadLetterQuery(c.req.raw.url, false);
    const options = readChanges(c, limits);
    const { messages, next } = await store.retry(query, options, clock.now());
    const responses = messages.map(({ id }) => ({ messageId: id }));
    return c.json({ cursor: toCursor(next).cursor ?? "", responses }, 201);
  };
}

/** As {@link retry}, for one by its id. */
export function retryOne({ store, clock, limits }: Service): Handler<Env, "/:id"> {
  return async (c) => {
    const dlqId = c.req.param("id");
    const options = readChanges(c, limits);
    const { messages } = await store.retry({ dlqIds: [dlqId], count: 1 }, options, clock.now());
    const [message] = messages;
    if (message) return c.json({ messageId: message.id }, 201);
    throw new Problem(
      404,
      `dead letter ${dlqId} of a message not found; that of a workflow run is resumed or restarted`,
    );
  };
}

/** What is to be different. */
function readChanges(c: Context<Env>, limits: Service["limits"]): Options {
  const options = readOptions(readHeaders(c), limits);
  if (options.deduplication === undefined) return options;
  const field =
    options.deduplication === "content" ? HEADER.contentBasedDeduplication : HEADER.deduplicationId;
  throw invalid(field, "a dead letter is sent again in any case");
}
