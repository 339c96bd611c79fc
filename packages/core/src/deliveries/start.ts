import { warnOnce } from "../border/settings.ts";
import { toRunId } from "../kernel/ids.ts";
import type { Start } from "../protocol/delivery.ts";
import { readHistory } from "../protocol/history.ts";
import { decodeRunOptions } from "../protocol/late-options.ts";
import { malformed } from "../protocol/malformed.ts";
import { startMessage } from "../protocol/message.ts";
import * as HEADER from "../protocol/names.ts";
import { isName } from "../protocol/options.ts";
import { done, type Outcome } from "../protocol/outcome.ts";
import * as PREFIX from "../protocol/prefixes.ts";
import { historyOf, userHeaders, type Visit } from "./room.ts";

const UNSIGNED =
  "[perdure] A start that isn't signed chooses the host of its run. Set `url`, `baseUrl` or `allowedHosts`.";

/** Asks the engine for a run with the payload that the request carries. No user code is run. */
export async function start(visit: Visit<Start>): Promise<Outcome> {
  const { served, border, mail, delivery } = visit;
  // Named after the message that starts it: when an engine delivers that one again, it finds the run and starts no second.
  const runId = delivery.runId ?? runIdFor(delivery.messageId);
  const payload = await payloadOf(visit);
  if (payload === undefined) return done(runId, "workflow-already-ended");
  const configures = delivery.runId !== undefined;
  const { verify, hostIsGuessed } = border.door;
  const options = mail.headers.get(HEADER.runOptions);
  if (!verify && options) warnOnce(`[perdure] ${HEADER.runOptions} is ignored in unsigned requests.`);
  if (!verify && hostIsGuessed) warnOnce(UNSIGNED);
  const message = startMessage({
    // Who has created the run has said how it is to be delivered.
    ...(configures ? {} : served.runOptions),
    label: delivery.labels.filter(isName),
    ...(verify ? decodeRunOptions(options) : {}),
    url: border.workflowUrl(mail.url),
    runId,
    body: payload === "" ? undefined : payload,
    contentType: mail.headers.get(HEADER.contentType) ?? undefined,
    headers: headersToKeep(mail.headers, configures),
    configures,
  });
  const [receipt] = await border.engine().create([message]);
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

// A run that the engine has created already comes as the others do: with its history, whose first entry is the payload.
async function payloadOf(visit: Visit<Start>): Promise<string | undefined> {
  const { runId } = visit.delivery;
  if (runId === undefined) return visit.mail.body;
  const entries = await historyOf(visit, runId);
  return entries && readHistory(entries).payload;
}

/** True of this connection only. */
const OF_CONNECTION =
  "accept-encoding connection content-length content-type expect host keep-alive proxy-authorization te trailer transfer-encoding upgrade user-agent".split(
    " ",
  );

/** Must not be stored with a run by whoever calls the endpoint. The creator of a run gives them to be sent along. */
const SECRETS = ["authorization", "cookie"];

function headersToKeep(headers: Headers, configures: boolean): Record<string, string> {
  const dropped = [HEADER.runOptions, ...OF_CONNECTION, ...(configures ? [] : SECRETS)];
  const kept = userHeaders(headers);
  for (const name of dropped) kept.delete(name);
  return Object.fromEntries([...kept].filter(([name]) => !name.startsWith(PREFIX.own.toLowerCase())));
}
