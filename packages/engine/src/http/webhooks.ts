import type { WebhookHit } from "@perdure/core/protocol";
import { toBase64, toBytes } from "../rules/bytes.ts";
import { EngineError } from "../rules/engine-error.ts";
import { trainCase } from "../rules/header.ts";
import { raw } from "./json.ts";
import { part } from "./parameters.ts";
import { type Input, type Routes, route } from "./route.ts";
import { done } from "./schemas.ts";

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
      bodyLimit: ({ webhookBytes, requestBytes }) => Math.min(webhookBytes, requestBytes),
      async admit({ params: { runId, eventId } }, { store, limits }) {
        const state = await store.webhookState(runId, eventId, limits.webhookKept);
        if (state === "none") throw noSuchWebhook();
        if (state === "full") throw full();
      },
      answers: { 200: done },
      open: true,
      async handle(input, service) {
        const { params, body } = input;
        const { runId, eventId } = params;
        const data = toBytes(JSON.stringify(toHit(input, body, service.trustProxy)));
        const webhook = service.limits.webhookKept;
        const result = await service.store.notify({ runId, eventId, data, webhook });
        if (result.kind === "full") throw full();
        if (result.kind !== "delivered") throw noSuchWebhook();
        return {};
      },
    }),
  },
};

/** To a sender without a token it makes no difference what exactly there isn't. */
function noSuchWebhook(): EngineError {
  return new EngineError("not_found", "there is no such webhook");
}

function full(): EngineError {
  const message =
    "the webhook keeps as many requests as it may until its run waits for them: try again later";
  return new EngineError("rate_limited", message, { retryAfter: 60 });
}

function toHit(
  { request, target }: Pick<Input, "request" | "target">,
  body: Uint8Array,
  trustProxy: boolean,
): WebhookHit {
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
    url: target,
  };
}
