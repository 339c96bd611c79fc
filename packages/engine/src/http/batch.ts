import { LOWERCASE_HEADER } from "@perdure/core/protocol";
import { z } from "zod";
import { type BatchItem, publishBatch, triggerBatch } from "../commands/publish-batch.ts";
import { toBytes } from "../rules/bytes.ts";
import { EngineError, invalid } from "../rules/engine-error.ts";
import { NAME, toName } from "../rules/name.ts";
import type { PublishRequest } from "../rules/new-message.ts";
import { check, json, parseJson } from "./json.ts";
import { itemView, sentItem, triggeredView } from "./published.ts";
import { type Body, type Origin, type Routes, route } from "./route.ts";
import { error, triggered } from "./schemas.ts";

const expected = { error: "expected a url or a url group" };

/** An item of a batch. Some clients send null for fields that they leave out. */
const item = z
  .object({
    destination: z.string(expected).min(1, expected),
    headers: z.record(z.string(), z.string()).nullish(),
    body: z.string().nullish(),
    queue: z.string().meta(NAME).nullish(),
  })
  .meta({ id: "Item", description: "A message of a batch; its options are headers." });

const anything = z.array(z.looseObject({}));

/** The route checks each item by itself: a faulty item doesn't stop the others. */
const items: Body<readonly object[]> = {
  ...json("the batch", anything),
  schema: z.array(item),
  read: async (bytes, { limits }) =>
    check(anything, await parseJson(bytes, "the batch", limits.batchItems), "the batch"),
};

export const batches = {
  "/v2/batch": {
    POST: route({
      summary: "Publish many messages; a faulty one is answered with its error",
      body: items,
      answers: { 200: z.array(sentItem) },
      async handle(input, { store, limits }) {
        const all = input.body.map((one) => toItem(one, input));
        return (await publishBatch(store, all, limits)).map(itemView);
      },
    }),
  },
  "/v2/batch/trigger": {
    POST: route({
      summary: "Start many workflow runs; a faulty one is answered with its error",
      body: items,
      answers: { 201: z.array(z.union([triggered, error])) },
      async handle(input, { store, limits }) {
        const all = input.body.map((one) => toItem(one, input));
        return (await triggerBatch(store, all, limits)).map((one) =>
          one instanceof EngineError ? { error: one.message } : triggeredView(one),
        );
      },
    }),
  },
} satisfies Routes;

function toItem(one: object, origin: Origin): BatchItem {
  return { headers: new Map(headersOf(one)), read: () => toRequest(one, origin) };
}

/** The most headers of an item: the engine needs as long to read a header as to read an item. */
const MAX_HEADERS = 1000;

/** @throws EngineError `invalid_request` that names the field */
function toRequest(one: object, { callerIp, now }: Origin): PublishRequest {
  const count = headersOf(one).length;
  if (count > MAX_HEADERS) throw invalid("headers", `expected ${MAX_HEADERS} at most, got ${count}`);
  const { destination, headers: given, body, queue } = check(item, one, "the item");
  const headers = new Map<string, string>();
  for (const [name, text] of Object.entries(given ?? {})) {
    const lower = name.toLowerCase();
    if (headers.has(lower)) throw invalid(`header ${name}`, "it is given twice");
    headers.set(lower, text);
  }
  if (typeof queue === "string") headers.set(LOWERCASE_HEADER.queueName, toName(queue, "queue"));
  return { destination, headers, body: toBytes(body ?? ""), callerIp, now };
}

/** Reads the headers even of an item that is invalid. */
function headersOf(one: { readonly headers?: unknown }): [string, string][] {
  return Object.entries(Object(one.headers)).map(([name, value]) => [name.toLowerCase(), String(value)]);
}
