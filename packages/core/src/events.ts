import type { EventResponse, WebhookResponse, WorkflowEvent } from "./steps/index.ts";
import { checkNonEmptyString } from "./util/check.ts";
import { parseLeniently } from "./util/json.ts";
import type { Jsonify } from "./util/jsonify.ts";
import { checkSchema, type Schema, validate } from "./util/schema.ts";

/** The type that a schema accepts. */
type InputOf<S extends Schema> = NonNullable<S["~standard"]["types"]>["input"];

/** The type that a schema returns. */
type OutputOf<S extends Schema> = NonNullable<S["~standard"]["types"]>["output"];

/**
 * Declares an event once, for the workflows that wait for it and for the code that sends it. With a schema, senders and
 * workflows validate its data; without one, only its type is checked.
 *
 * @param name the event id
 * @param schema a Standard Schema (zod, valibot, arktype, …)
 * @example
 * ```ts
 * const approval = defineEvent("approval", schema); // of { ok: boolean }
 * const answer = await context.waitForEvent("wait for approval", approval, { timeout: "3d" });
 * await client.notify({ eventId: approval, eventData: { ok: true }, workflowRunId });
 * ```
 */
export function defineEvent<S extends Schema>(
  name: string,
  schema: S,
): WorkflowEvent<OutputOf<S>, InputOf<S>>;
export function defineEvent<Data = unknown>(name: string): WorkflowEvent<Jsonify<Data>, Data>;
export function defineEvent(name: string, schema?: Schema): WorkflowEvent {
  checkNonEmptyString("An event's name", name);
  if (schema) checkSchema(schema);
  return toEvent(name, schema);
}

function toEvent(eventId: string, schema: Schema | undefined): WorkflowEvent {
  const misfit = {
    code: "invalid_event",
    message: `The data of event "${eventId}" doesn't fit its schema`,
  } as const;
  const parse = async (data: unknown): Promise<unknown> => (schema ? validate(schema, data, misfit) : data);
  return {
    eventId,
    parse,
    for(key) {
      checkNonEmptyString("An event's key", key);
      return toEvent(`${eventId}/${key}`, schema);
    },
    "~check": async (body = "") => void (await parse(parseLeniently(body))),
    "~receive"(wait) {
      const received = (wait as Promise<Ended>).then(async (ended) =>
        ended.timeout ? ended : { ...ended, eventData: await parse(await dataIn(ended)) },
      );
      // A wait that the workflow doesn't await must not end the process as an unhandled rejection.
      received.catch(() => {});
      return received;
    },
  };
}

type Ended = EventResponse | WebhookResponse;

/** The data of an event, or the body of a webhook's request, which stays unread for the workflow. */
function dataIn(arrived: Extract<Ended, { readonly timeout: false }>): unknown {
  return "request" in arrived ? arrived.request.clone().text().then(parseLeniently) : arrived.eventData;
}
