import type { WebhookHit } from "@perdure/core/protocol";
import type { Context, Handler } from "hono";
import { toBase64, toBytes } from "../domain/bytes.ts";
import { trainCase } from "../domain/header.ts";
import { Problem } from "../domain/problem.ts";
import { readBody } from "./body.ts";
import type { Env, Service } from "./service.ts";
import { announce } from "./submit.ts";

// What belongs to the connection by which the request came.
const OF_CONNECTION = new Set([
  "connection",
  "content-length",
  "host",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/**
 * Any verb on `/v2/workflows/hooks/{userId}/{runId}/{eventId}`: the request is the event. Its address is all that a
 * sender needs to know, and good only for what the run has made as a webhook.
 */
export function webhook(service: Service): Handler<Env, "/:user/:run/:event"> {
  const { store, clock, limits } = service;
  return async (c) => {
    const { run: runId, event: eventId } = c.req.param();
    const body = await readBody(c.req.raw, limits.requestBytes);
    const data = toBytes(JSON.stringify(toHit(c, body, service.trustProxy)));
    const told = await store.notify({ runId, eventId, data, webhook: true }, clock.now());
    // To somebody without a token it makes no difference what exactly there isn't.
    if (told.kind !== "told") throw new Problem(404, "there is no such webhook");
    announce(told.recorded, service);
    return c.json({});
  };
}

function toHit(c: Context<Env>, body: Uint8Array, trustProxy: boolean): WebhookHit {
  const { url, method, headers } = c.req.raw;
  const address = new URL(url);
  const forwarded = (name: string): string | undefined =>
    trustProxy ? headers.get(name)?.split(",")[0]?.trim() || undefined : undefined;
  const header: Record<string, string[]> = {};
  for (const [name, value] of headers) if (!OF_CONNECTION.has(name)) header[trainCase(name)] = [value];
  return {
    method,
    header,
    body: toBase64(body),
    proto: forwarded("x-forwarded-proto") ?? address.protocol.slice(0, -1),
    host: forwarded("x-forwarded-host") ?? address.host,
    // As it was sent: what it is may be signed.
    url: url.slice(url.indexOf("/", url.indexOf("://") + 3)),
  };
}
