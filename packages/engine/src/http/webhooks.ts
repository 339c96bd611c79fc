import { CONNECTION_HEADERS, type WebhookHit } from "@perdure/core/protocol";
import { toBase64, toBytes } from "../rules/bytes.ts";
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
      admit: ({ params: { runId, eventId } }, { store, limits }) =>
        store.checkWebhook(runId, eventId, limits.webhookKept),
      answers: { 200: done },
      open: true,
      async handle({ params: { runId, eventId }, body }, { store, limits }) {
        const data = toBytes(JSON.stringify(body));
        await store.notify({ runId, eventId, data, webhook: limits.webhookKept });
        return {};
      },
    }),
  },
} satisfies Routes;

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
