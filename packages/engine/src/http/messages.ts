import { z } from "zod";
import { EngineError, invalid } from "../rules/engine-error.ts";
import type { MessageQuery } from "../store/lists.ts";
import { MESSAGE_FILTERS, PLACES, toMessageFilter } from "./filters.ts";
import { json, optional } from "./json.ts";
import { list, part, whole } from "./parameters.ts";
import { type Parameter, type Routes, route, type Values } from "./route.ts";
import { cancelled, id, message } from "./schemas.ts";
import { messageView } from "./serializers.ts";
import type { Service } from "./service.ts";

const MAX_PAGE_SIZE = 500;
/** The `count` that the official client sends by default. It promises to cancel all matching messages. */
const UNSAID = 100;

/** How many are taken back in one transaction. */
const AT_ONCE = 500;

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
      // Older clients name ids here.
      body: optional(json("the selection", z.object({ messageIds: z.array(id).min(1) }))),
      answers: { 200: cancelled },
      async handle(input, service) {
        const ids = input.body?.messageIds ?? input.query.messageIds;
        if (!ids) return { cancelled: await cancel(toFilter(input.query), input.query.count, service) };
        let done = 0;
        for (let at = 0; at < ids.length; at += AT_ONCE) {
          const some = ids.slice(at, at + AT_ONCE);
          done += await cancel({ messageIds: some }, some.length, service);
        }
        return { cancelled: done };
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
        if (!found) throw unknown(id);
        return messageView(found.message, found.run, found.entry ?? found.message.body);
      },
    }),
    DELETE: route({
      summary: "Cancel a message, and the run that is left with nothing to do",
      params,
      answers: { 200: cancelled },
      async handle({ params: { id } }, { store }) {
        if (!(await store.cancelMessage(id))) throw unknown(id);
        return { cancelled: 1 };
      },
    }),
  },
} satisfies Routes;

/** In several transactions, so that nobody waits for all of it. What is published meanwhile is newer, and stays. */
async function cancel(
  filter: Omit<MessageQuery, "count" | "before">,
  most: number,
  { store }: Service,
): Promise<number> {
  let done = 0;
  let before: number | undefined;
  do {
    const size = Math.min(AT_ONCE, most - done);
    const { canceled, next } = await store.cancelMessages({ ...filter, count: size, before });
    done += canceled;
    before = next;
  } while (before !== undefined && done < most);
  return done;
}

function toFilter(asked: Values<typeof query>): Omit<MessageQuery, "count" | "before"> {
  return {
    ...toMessageFilter(asked),
    callerIps: asked.callerIp ?? asked.callerIP,
    hosts: asked.host,
    paths: asked.path,
  };
}

function unknown(id: string): EngineError {
  return new EngineError("not_found", `message ${id} not found`);
}
