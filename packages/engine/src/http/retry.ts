import type { Handler } from "hono";
import { readOptions } from "../domain/options.ts";
import { Problem } from "../domain/problem.ts";
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
    const options = readOptions(readHeaders(c), limits);
    const { messages, next } = await store.retry(query, options, clock.now());
    const responses = messages.map(({ id }) => ({ messageId: id }));
    return c.json({ cursor: toCursor(next).cursor ?? "", responses }, 201);
  };
}

/** As {@link retry}, for one by its id. */
export function retryOne({ store, clock, limits }: Service): Handler<Env, "/:id"> {
  return async (c) => {
    const dlqId = c.req.param("id");
    const options = readOptions(readHeaders(c), limits);
    const { messages } = await store.retry({ dlqIds: [dlqId], count: 1 }, options, clock.now());
    const [message] = messages;
    if (message) return c.json({ messageId: message.id }, 201);
    throw new Problem(
      404,
      `dead letter ${dlqId} of a message not found; that of a workflow run is resumed or restarted`,
    );
  };
}
