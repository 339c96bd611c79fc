import { CONNECTION_HEADERS, type WebhookHit } from "@perdure/core/protocol";
import { toBase64, toBytes } from "../rules/bytes.ts";
import { EngineError } from "../rules/engine-error.ts";
import { trainCase } from "../rules/header.ts";
import { raw } from "./json.ts";
import { part } from "./parameters.ts";
import { type Body, type Head, type Routes, route } from "./route.ts";
import { done } from "./schemas.ts";

// These headers belong to the connection, so the event leaves them out.
const OF_CONNECTION: ReadonlySet<string> = new Set(CONNECTION_HEADERS);

const hit: Body<WebhookHit> = {
  type: raw.type,
  required: raw.required,
  read: (bytes, { trustProxy }, head) => toHit(head, bytes, trustProxy),
};

/**
 * Route for webhooks: the request is the event. The sender needs only the URL, and no token. The route
 * accepts only events that the run has created as webhooks.
 */
export const webhooks = {
  "/v2/workflows/hooks/:userId/:runId/:eventId": {
    ALL: route({
      summary: "Send a run the event that a webhook of its own waits for",
      params: { userId: part, runId: part, eventId: part },
      foreignQuery: true,
      body: hit,
      bodyLimit: ({ webhookBytes, requestBytes }) => Math.min(webhookBytes, requestBytes),
      async admit({ params: { runId, eventId } }, { store, limits }) {
        const state = await store.webhookState(runId, eventId, limits.webhookKept);
        if (state === "none") throw noSuchWebhook();
        if (state === "full") throw full();
      },
      answers: { 200: done },
      open: true,
      async handle(input, service) {
        const { runId, eventId } = input.params;
        const data = toBytes(JSON.stringify(input.body));
        const webhook = service.limits.webhookKept;
        const result = await service.store.notify({ runId, eventId, data, webhook });
        if (result.kind === "full") throw full();
        if (result.kind !== "delivered") throw noSuchWebhook();
        return {};
      },
    }),
  },
} satisfies Routes;

/** The error for a missing run and for a missing webhook alike: a sender without a token needs no details. */
function noSuchWebhook(): EngineError {
  return new EngineError("not_found", "there is no such webhook");
}

function full(): EngineError {
  const message =
    "the webhook keeps as many requests as it may until its run waits for them: try again later";
  return new EngineError("rate_limited", message, { retryAfter: 60 });
}

function toHit({ request, target }: Head, body: Uint8Array, trustProxy: boolean): WebhookHit {
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
    // As the client sent it, because a signature may cover the URL.
    url: target,
  };
}
