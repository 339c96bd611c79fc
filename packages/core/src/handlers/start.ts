import { CONNECTION_HEADERS } from "../protocol/connection-headers.ts";
import { decodeRunOptions } from "../protocol/deferred-options.ts";
import type { Start } from "../protocol/delivery.ts";
import * as HEADER from "../protocol/header-names.ts";
import { readHistory } from "../protocol/history.ts";
import { toRunId } from "../protocol/ids.ts";
import { startMessage } from "../protocol/message.ts";
import { isName } from "../protocol/options.ts";
import { done, type Outcome } from "../protocol/outcome.ts";
import { malformed } from "../protocol/parse.ts";
import { filterHeaders, isProtocolHeader } from "../protocol/token.ts";
import { warnOnce } from "../util/console.ts";
import { type DeliveryContext, loadHistory, userHeaders } from "./delivery-context.ts";

const UNSIGNED = "An unsigned start chooses its run's host. Set `url`, `baseUrl` or `allowedHosts`.";

/** Asks the engine to start a run with the request's payload. Runs no user code. */
export async function start(ctx: DeliveryContext<Start>): Promise<Outcome> {
  const { endpoint, config, request, delivery } = ctx;
  // The run is named after the message that starts it, so a second delivery of the message finds the run.
  const runId = delivery.runId ?? runIdFor(delivery.messageId);
  const payload = await payloadOf(ctx);
  if (payload === undefined) return done(runId, "workflow-already-ended");
  const configuresRun = delivery.runId !== undefined;
  const { verify, hostIsGuessed } = config.access;
  const options = request.headers.get(HEADER.runOptions);
  if (!verify && options) warnOnce(`${HEADER.runOptions} is ignored in unsigned requests.`);
  if (!verify && hostIsGuessed) warnOnce(UNSIGNED);
  const message = startMessage({
    // The client that created the run has set its delivery options.
    ...(configuresRun ? {} : endpoint.runOptions),
    label: delivery.labels.filter(isName),
    ...(verify ? decodeRunOptions(options) : {}),
    url: config.workflowUrl(request.url),
    runId,
    body: payload === "" ? undefined : payload,
    contentType: request.headers.get(HEADER.contentType) ?? undefined,
    headers: headersToKeep(request.headers, configuresRun),
    configuresRun,
  });
  const [receipt] = await config.engine().create([message]);
  if (receipt instanceof Error) throw receipt;
  return done(runId, "success");
}

/** @throws WorkflowError `malformed_body` for a message's id that can't name a run */
function runIdFor(messageId: string | undefined): string {
  try {
    return toRunId(messageId);
  } catch (cause) {
    throw malformed(`The header ${HEADER.messageId}`, "can't name a run", String(messageId), cause);
  }
}

// The delivery of an existing run contains its history, whose first entry is the payload.
async function payloadOf(ctx: DeliveryContext<Start>): Promise<string | undefined> {
  const { runId } = ctx.delivery;
  if (runId === undefined) return ctx.request.body;
  const entries = await loadHistory(ctx, runId);
  return entries && readHistory(entries).payload;
}

/** Headers of the request that each delivery sets itself. */
const REQUEST_HEADERS = ["accept-encoding", "content-type", "user-agent"];

/**
 * Headers with a caller's credentials, which the engine must not store. A run's creator names headers to
 * forward.
 */
const CREDENTIAL_HEADERS = ["authorization", "cookie"];

function headersToKeep(headers: Headers, configuresRun: boolean): Record<string, string> {
  const dropped = [...CONNECTION_HEADERS, ...REQUEST_HEADERS, ...(configuresRun ? [] : CREDENTIAL_HEADERS)];
  const isKept = (name: string): boolean => !isProtocolHeader(name) && !dropped.includes(name);
  return Object.fromEntries(filterHeaders(userHeaders(headers), isKept));
}
