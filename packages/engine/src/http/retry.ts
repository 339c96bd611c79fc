import { HEADER } from "@perdure/core/protocol";
import { z } from "zod";
import { invalid } from "../rules/engine-error.ts";
import { checkDelays } from "../rules/limits.ts";
import { OPTION_HEADERS } from "../rules/option-headers.ts";
import { type Options, readOptions } from "../rules/options.ts";
import { DEAD_LETTERS, dlqId, toDeadLetterQuery } from "./dlq.ts";
import { toCursor } from "./parameters.ts";
import { type Routes, route } from "./route.ts";
import type { Service } from "./service.ts";

const sentAgain = z.object({ messageId: z.string() });

/**
 * Routes to publish failed messages again. Headers replace options of the message. These routes don't touch
 * dead letters of runs: clients resume or restart those.
 */
export const retries = {
  "/v2/dlq/retry": {
    POST: route({
      summary: "Publish again, as new messages, the dead letters that match, 100 at most",
      query: DEAD_LETTERS,
      headers: OPTION_HEADERS,
      answers: { 201: z.object({ cursor: z.string(), responses: z.array(sentAgain) }) },
      async handle({ query, headers, now }, { store, limits }) {
        const changes = readChanges(headers, now, limits);
        const { messages, next } = await store.retry(toDeadLetterQuery(query, false), changes, limits);
        const responses = messages.map(({ id }) => ({ messageId: id }));
        return { cursor: toCursor(next).cursor ?? "", responses };
      },
    }),
  },
  "/v2/dlq/retry/:id": {
    POST: route({
      summary: "Publish a dead letter again, as a new message",
      params: dlqId,
      headers: OPTION_HEADERS,
      answers: { 201: sentAgain },
      async handle({ params: { id }, headers, now }, { store, limits }) {
        const changes = readChanges(headers, now, limits);
        const message = await store.retryOne(id, changes, limits);
        return { messageId: message.id };
      },
    }),
  },
} satisfies Routes;

/** Reads the options that change when a message is published again. */
function readChanges(headers: ReadonlyMap<string, string>, now: number, limits: Service["limits"]): Options {
  const options = readOptions(headers, limits);
  checkDelays(options, now, limits);
  if (options.deduplication === undefined) return options;
  const field =
    options.deduplication === "content" ? HEADER.contentBasedDeduplication : HEADER.deduplicationId;
  throw invalid(field, "a dead letter is sent again in any case");
}
