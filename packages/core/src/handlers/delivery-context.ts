import type { RunContext } from "../context.ts";
import type { WorkflowMiddleware } from "../middleware.ts";
import type { Delivery } from "../protocol/delivery.ts";
import * as HEADER from "../protocol/header-names.ts";
import * as PREFIX from "../protocol/header-prefixes.ts";
import { RETRIES_BY_DEFAULT } from "../protocol/headers.ts";
import { cutAfter, type HistoryEntry, parseHistory } from "../protocol/history.ts";
import type { RunOptions, RunRef } from "../protocol/message.ts";
import { filterHeaders } from "../protocol/token.ts";
import type { InlineLimits } from "../replay/inline-invocation.ts";
import type { EndpointConfig } from "../server/endpoint-config.ts";
import type { IncomingRequest } from "../server/read-request.ts";
import type { AttemptInfo } from "../steps/index.ts";
import type { CancelFunction, FailureFunction, WorkflowFunction } from "../workflow.ts";

/** A workflow and its options, as the handlers use them. */
export interface EndpointDefinition {
  readonly workflow: WorkflowFunction;
  readonly failureFunction: FailureFunction | undefined;
  readonly cancelFunction: CancelFunction | undefined;
  readonly rollbackOnCancel: boolean;
  /** The header's value for Perdure's own engine. */
  readonly capabilities: string;
  /** Parses the payload, an empty string for none, into `context.requestPayload`. */
  readonly parsePayload: (payload: string) => Promise<unknown>;
  /** Options of runs that start without a client; a client sends its own. */
  readonly runOptions: RunOptions;
  /** Default for steps without the option. */
  readonly onExhausted: "throw" | "fail" | undefined;
  readonly middlewares: readonly WorkflowMiddleware[];
  /** The limits of an invocation that runs inline; `false`: each invocation runs one step. */
  readonly inline: InlineLimits | false;
  /** Whether a proxy sets the URL. */
  readonly trustProxy: boolean;
  /** The most bytes of a request's body. */
  readonly bodyLimit: number;
  /** The last segment of the URL of each workflow of the same `serveMany`. */
  readonly siblings: ReadonlyMap<object, string>;
}

/** The part of a test that replaces endpoints. */
export interface DefinitionHost {
  replace(endpoint: EndpointDefinition): EndpointDefinition;
}

/** One authorized request, with the endpoint that handles it. */
export interface DeliveryContext<Kind extends Delivery = Delivery> {
  readonly endpoint: EndpointDefinition;
  readonly config: EndpointConfig;
  readonly request: IncomingRequest;
  readonly delivery: Kind;
  /** The caller has passed a signature check or the `authorize` hook: it may see the stacks of errors. */
  readonly authenticated: boolean;
}

type RunDelivery = Exclude<Delivery, { kind: "start" }>;

/** The attempts of this delivery so far, and its limit. */
export function attemptInfo({ endpoint, request, delivery }: DeliveryContext<RunDelivery>): AttemptInfo {
  const sent = request.headers.get(HEADER.maxRetries);
  const endpointRetries = sent?.endsWith(RETRIES_BY_DEFAULT) ? endpoint.runOptions.retries : undefined;
  return {
    retried: delivery.retried,
    maxRetries: endpointRetries ?? (sent === null ? undefined : parseInt(sent, 10)),
  };
}

/** The run, as messages name it. */
export function runRef({ config, request, delivery }: DeliveryContext<RunDelivery>): RunRef {
  const { runId, invokeCount, ownEngine } = delivery;
  return { url: config.workflowUrl(request.url), runId, invokeCount, exact: ownEngine };
}

/**
 * Reads the history from the delivery, or fetches it when it is too large for one.
 *
 * @returns undefined when the engine no longer has it, because the run is over
 */
export async function loadHistory(
  { config, request, delivery }: DeliveryContext,
  runId: string,
): Promise<readonly HistoryEntry[] | undefined> {
  if (request.bytes.length > 0) return parseHistory(request.body);
  const entries = await config.engine().history(runId);
  // A delivery that offers inline execution may see everything.
  const isWhole = delivery.kind === "resume" && delivery.lease !== undefined;
  return entries && (isWhole ? entries : cutAfter(entries, delivery.messageId ?? ""));
}

/**
 * Creates the run's properties for user code.
 *
 * @param overrides values of the delivery's body, which win over its headers
 */
export function toRunContext(
  ctx: DeliveryContext<RunDelivery>,
  requestPayload: unknown,
  overrides: { readonly url?: string | undefined; readonly createdAt?: number | undefined } = {},
): RunContext {
  const { config, request, delivery } = ctx;
  let headers: Headers | undefined;
  const context: RunContext = {
    requestPayload,
    get headers() {
      headers ??= userHeaders(request.headers);
      return headers;
    },
    url: overrides.url ?? config.workflowUrl(request.url),
    env: config.env,
    workflowRunId: delivery.runId,
    workflowRunCreatedAt: overrides.createdAt ?? delivery.createdAt,
    labels: delivery.labels,
    label: delivery.labels[0],
    retried: delivery.retried,
    get qstashClient() {
      const { client } = config.engine().connection;
      if (client) return client;
      const message =
        "context.qstashClient needs the option qstashClient, such as qstash of @perdure/core/qstash.";
      throw new TypeError(message);
    },
  };
  // Copying or printing a context must not create them.
  const hidden = { enumerable: false };
  return Object.defineProperties(context, { headers: hidden, qstashClient: hidden });
}

/** Headers of the protocol, and headers that proxies and platforms add. The user's request didn't set them. */
const NOT_THE_USERS = new RegExp(
  `^(?:${PREFIX.workflow}|x-vercel-|x-forwarded-|(?:${HEADER.region}|${HEADER.signature}|cf-connecting-ip|cdn-loop|cf-ew-via|cf-ray|render-proxy-ttl)$)`,
  "i",
);

/**
 * A delivery's headers for user code: without the protocol's headers and the signature, which would open this
 * endpoint.
 */
export function userHeaders(headers: Headers): Headers {
  return filterHeaders(headers, (name) => !NOT_THE_USERS.test(name));
}
