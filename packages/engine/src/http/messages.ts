import { z } from "zod";
import { cancelAllMessages } from "../commands/cancel-all-messages.ts";
import { invalid } from "../rules/engine-error.ts";
import type { MessageQuery } from "../store/lists.ts";
import { MESSAGE_FILTERS, PLACES, toMessageFilter } from "./filters.ts";
import { json, optional } from "./json.ts";
import { list, part, whole } from "./parameters.ts";
import { type Parameter, type Routes, route, type Values } from "./route.ts";
import { cancelled, id, message } from "./schemas.ts";
import { messageView } from "./serializers.ts";

const MAX_PAGE_SIZE = 500;
/** The `count` that the official client sends by default. It promises to cancel all matching messages. */
const UNSAID = 100;

const count: Parameter<number> = {
  schema: {
    ...whole.schema,
    minimum: 1,
    maximum: MAX_PAGE_SIZE,
    description: `All that match without it, or with ${UNSAID}.`,
  },
  read(values, name) {
    const asked = whole.read(values, name) ?? UNSAID;
    if (asked < 1 || asked > MAX_PAGE_SIZE)
      throw invalid(`parameter ${name}`, `expected 1 to ${MAX_PAGE_SIZE}, got ${asked}`);
    return asked === UNSAID ? Number.MAX_SAFE_INTEGER : asked;
  },
};

const query = { ...MESSAGE_FILTERS, ...PLACES, callerIP: list, count, messageIds: list };
const params = { id: part };

export const messages = {
  "/v2/messages": {
    DELETE: route({
      summary: "Cancel the messages that match, all of them without a filter, or those whose ids are given",
      query,
      // Older clients send the ids in the body.
      body: optional(json("the selection", z.object({ messageIds: z.array(id).min(1) }))),
      answers: { 200: cancelled },
      async handle({ query, body }, { store }) {
        const ids = body?.messageIds ?? query.messageIds;
        const selection = ids ? { ids } : { filter: toFilter(query), count: query.count };
        return { cancelled: await cancelAllMessages(store, selection) };
      },
    }),
  },
  "/v2/messages/:id": {
    GET: route({
      summary: "Get a message that is on its way, or has arrived a short while ago",
      params,
      answers: { 200: message },
      async handle({ params: { id }, now }, { store, retention }) {
        const found = await store.message(id, now - retention.messages);
        return messageView(found.message, found.run, found.entry ?? found.message.body);
      },
    }),
    DELETE: route({
      summary: "Cancel a message, and the run that is left with nothing to do",
      params,
      answers: { 200: cancelled },
      async handle({ params: { id } }, { store }) {
        await store.cancelMessage(id);
        return { cancelled: 1 };
      },
    }),
  },
} satisfies Routes;

function toFilter(asked: Values<typeof query>): Omit<MessageQuery, "count" | "before"> {
  return {
    ...toMessageFilter(asked),
    callerIps: asked.callerIp ?? asked.callerIP,
    hosts: asked.host,
    paths: asked.path,
  };
}
