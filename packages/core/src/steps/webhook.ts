import { randomId } from "../protocol/ids.ts";
import type { StepRecord } from "../protocol/step.ts";
import type { WebhookHit } from "../protocol/wait.ts";
import { fromBase64, textFromBase64 } from "../util/bytes.ts";
import type { Duration } from "../util/duration.ts";
import { waitStep } from "./event.ts";
import type { Step } from "./step.ts";

/** A URL for one run that accepts requests without any other credential. */
export interface Webhook {
  readonly webhookUrl: string;
  readonly eventId: string;
}

/** The result of a wait for a webhook: the request as received, or a timeout. */
export type WebhookResponse =
  | { readonly timeout: false; readonly request: Request }
  | { readonly timeout: true; readonly request: undefined };

/** The result of a wait for a webhook with a declared event: also its data, as the schema returns it. */
export type WebhookEventResponse<Data = unknown> =
  | { readonly timeout: false; readonly request: Request; readonly eventData: Data }
  | { readonly timeout: true; readonly request: undefined; readonly eventData?: undefined };

/** Creates a URL for the run. It is a secret: a caller needs only the URL to answer the wait. */
export function createWebhook(name: string): Step<Webhook> {
  return {
    name,
    type: "CreateWebhook",
    perform: async ({ engine, runId }) => {
      const eventId = `evt_${randomId()}`;
      return JSON.stringify({ webhookUrl: engine().webhookUrl(runId, eventId), eventId });
    },
  };
}

/** Waits for the next request to a webhook; an earlier request that no wait has received counts. */
export function waitForWebhook(
  name: string,
  webhook: Webhook,
  timeout: number | Duration,
): Step<WebhookResponse> {
  return waitStep(name, "WaitForWebhook", webhook, timeout);
}

export function readWebhook(record: StepRecord): WebhookResponse {
  if (record.waitTimeout || !record.out) return { timeout: true, request: undefined };
  return { timeout: false, request: toRequest(JSON.parse(textFromBase64(record.out)) as WebhookHit) };
}

function toRequest({ method, header, body, proto, host, url }: WebhookHit): Request {
  const headers = new Headers();
  for (const [name, values] of Object.entries(header))
    for (const value of [values].flat()) headers.append(name, value);
  const hasNoBody = method === "GET" || method === "HEAD" || body === "";
  return new Request(`${proto}://${host}${url}`, {
    method,
    headers,
    body: hasNoBody ? null : fromBase64(body),
  });
}
