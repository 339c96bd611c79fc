import type { RunContext } from "../context.ts";
import type { WorkflowMiddleware } from "../middleware.ts";
import type { Delivery } from "../protocol/delivery.ts";
import * as HEADER from "../protocol/header-names.ts";
import * as PREFIX from "../protocol/header-prefixes.ts";
import { RETRIES_BY_DEFAULT } from "../protocol/headers.ts";
import { cutAfter, type HistoryEntry, parseHistory } from "../protocol/history.ts";
import type { RunOptions, RunRef } from "../protocol/message.ts";
import type { EndpointConfig } from "../server/endpoint-config.ts";
import type { IncomingRequest } from "../server/read-request.ts";
import type { AttemptInfo } from "../steps/index.ts";
import type { CancelFunction, FailureFunction, WorkflowFunction } from "../workflow.ts";

/** A workflow as the rooms see it. */
export interface EndpointDefinition {
  readonly workflow: WorkflowFunction;
  readonly failureFunction: FailureFunction | undefined;
  readonly cancelFunction: CancelFunction | undefined;
  readonly rollbackOnCancel: boolean;
  /** For our own engine. */
  readonly capabilities: string;
  /** The payload's text, empty for none, as `context.requestPayload`. */
  readonly parsePayload: (payload: string) => Promise<unknown>;
  /** For runs that begin without a client, which would have brought its own. */
  readonly runOptions: RunOptions;
  /** For steps that say nothing else. */
  readonly onExhausted: "throw" | "fail" | undefined;
  readonly middlewares: readonly WorkflowMiddleware[];
  /** The last segment of the URL of each workflow that is served beside this one. */
  readonly siblings: ReadonlyMap<object, string>;
}

/** One request on its way. */
export interface DeliveryContext<Kind extends Delivery = Delivery> {
  readonly endpoint: EndpointDefinition;
  readonly config: EndpointConfig;
  readonly request: IncomingRequest;
  readonly delivery: Kind;
  /** The caller may see where in the code an error happened. */
  readonly trusted: boolean;
}

type RunDelivery = Exclude<Delivery, { kind: "start" }>;

/** How often this delivery was tried, and may be. */
export function attemptInfo({ endpoint, request, delivery }: DeliveryContext<RunDelivery>): AttemptInfo {
  const sent = request.headers.get(HEADER.maxRetries);
  const own = sent?.endsWith(RETRIES_BY_DEFAULT) ? endpoint.runOptions.retries : undefined;
  return { retried: delivery.retried, maxRetries: own ?? (sent === null ? undefined : parseInt(sent, 10)) };
}

/** The run, as messages name it. */
export function runRef({ config, request, delivery }: DeliveryContext<RunDelivery>): RunRef {
  const { runId, invokeCount } = delivery;
  // Only our own engine says how many retries there are.
  return {
    url: config.workflowUrl(request.url),
    runId,
    invokeCount,
    exact: request.headers.has(HEADER.maxRetries),
  };
}

/**
 * The history that a delivery carries, or that is too large to be sent along and is fetched.
 *
 * @returns undefined when it can't be had any more, because the run is over
 */
export async function loadHistory(
  { config, request, delivery }: DeliveryContext,
  runId: string,
): Promise<readonly HistoryEntry[] | undefined> {
  if (request.bytes.length > 0) return parseHistory(request.body);
  const entries = await config.engine().history(runId);
  return entries && cutAfter(entries, delivery.messageId ?? "");
}

/**
 * What user code is told of its run.
 *
 * @param told what the delivery's body knows better than its headers
 */
export function toRunContext(
  ctx: DeliveryContext<RunDelivery>,
  requestPayload: unknown,
  told: { readonly url?: string | undefined; readonly createdAt?: number | undefined } = {},
): RunContext {
  const { config, request, delivery } = ctx;
  const context: RunContext = {
    requestPayload,
    headers: userHeaders(request.headers),
    url: told.url ?? config.workflowUrl(request.url),
    env: config.env,
    workflowRunId: delivery.runId,
    workflowRunCreatedAt: told.createdAt ?? delivery.createdAt,
    labels: delivery.labels,
    label: delivery.labels[0],
    retried: delivery.retried,
    get qstashClient() {
      const { client } = config.engine().connection;
      if (client) return client;
      const message =
        "context.qstashClient needs the option qstashClient: qstash of @perdure/core/qstash, or a client of @upstash/qstash.";
      throw new TypeError(message);
    },
  };
  // Who copies or prints a context doesn't ask for the client.
  return Object.defineProperty(context, "qstashClient", { enumerable: false });
}

/** Headers that the way of a request adds, and nobody sent. */
const ADDED_ON_THE_WAY =
  /^(?:x-vercel-|x-forwarded-|cf-connecting-ip$|cdn-loop$|cf-ew-via$|cf-ray$|render-proxy-ttl$)/;

/** A delivery's headers for user code: without the protocol's, without the signature, which is a key to this endpoint. */
export function userHeaders(headers: Headers): Headers {
  const kept = new Headers(headers);
  kept.delete(HEADER.region);
  kept.delete(HEADER.signature);
  headers.forEach((_, name) => {
    if (name.startsWith(PREFIX.workflow.toLowerCase()) || ADDED_ON_THE_WAY.test(name)) kept.delete(name);
  });
  return kept;
}
