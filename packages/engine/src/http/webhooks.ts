import type { WebhookHit } from "@perdure/core/protocol";
import { toBase64, toBytes } from "../domain/bytes.ts";
import { trainCase } from "../domain/header.ts";
import { Problem } from "../domain/problem.ts";
import { raw } from "./json.ts";
import { part } from "./parameters.ts";
import { type Routes, route } from "./route.ts";
import { done } from "./shapes.ts";
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
 * The request is the event. Its address is all that a sender needs to know, and good only for what the run has made as a
 * webhook.
 */
export const webhooks: Routes = {
  "/v2/workflows/hooks/:userId/:runId/:eventId": {
    ALL: route({
      summary: "Send a run the event that a webhook of its own waits for",
      params: { userId: part, runId: part, eventId: part },
      foreignQuery: true,
      body: raw,
      answers: { 200: done },
      open: true,
      async handle({ params: { runId, eventId }, body, request, now }, service) {
        const data = toBytes(JSON.stringify(toHit(request, body, service.trustProxy)));
        const told = await service.store.notify({ runId, eventId, data, webhook: true }, now);
        // To somebody without a token it makes no difference what exactly there isn't.
        if (told.kind !== "told") throw new Problem(404, "there is no such webhook");
        announce(told.recorded, service);
        return {};
      },
    }),
  },
};

function toHit(request: Request, body: Uint8Array, trustProxy: boolean): WebhookHit {
  const { url, method, headers } = request;
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
