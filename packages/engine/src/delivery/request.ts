import { HEADER, type HistoryEntry, kindOf, PREFIX, PROTOCOL_VERSION } from "@perdure/core/protocol";
import type { HeaderList } from "../domain/header.ts";
import { hasFeature, RESERVED, type Run } from "../domain/run.ts";
import type { Claim } from "../store/store.ts";
import type { Signer } from "./signer.ts";
import type { OutgoingRequest } from "./transport.ts";

const JSON_TYPE = "application/json";
const USER_AGENT = "Upstash-QStash";
const OWN = PREFIX.own.toLowerCase();
const WORKFLOW = PREFIX.workflow.toLowerCase();
const LABEL = HEADER.label.toLowerCase();
const SDK_VERSION = HEADER.sdkVersion.toLowerCase();
const CALL_RESULT = HEADER.isCallResult.toLowerCase();

// What belongs to one connection, or is told by the request itself.
const OF_CONNECTION: ReadonlySet<string> = new Set([
  "connection",
  "content-length",
  "content-type",
  "expect",
  "host",
  "http2-settings",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "user-agent",
]);

/** What a delivery looks like on the wire; all but the signal of the attempt. */
export type DeliveryRequest = Omit<OutgoingRequest, "signal">;

/**
 * The request that delivers a message: the forwarded headers, and above them, where none of those reaches, the engine's
 * own.
 *
 * @param maxHistory bytes above which a history is left for the endpoint to fetch, if it said it can
 */
export async function toRequest(
  claim: Claim,
  signer: Signer,
  maxHistory: number,
  now: number,
): Promise<DeliveryRequest> {
  const { message } = claim;
  const body = message.purpose === "step" ? historyBody(claim, maxHistory) : message.body;
  const headers: Record<string, string> = { ...forwarded(claim), ...ownHeaders(claim) };
  const contentType = contentTypeOf(claim);
  if (contentType !== undefined) headers[HEADER.contentType.toLowerCase()] = contentType;
  const runId = claim.run?.id;
  headers[HEADER.signature.toLowerCase()] = await signer.sign({
    url: message.url,
    body: body ?? "",
    claim: { kind: kindOf(new Headers(headers)), ...(runId ? { runId } : {}), messageId: message.id },
    now,
  });
  return { url: message.url, method: message.method, headers, body };
}

/** Entries as they travel. Ids and base64 need no escaping, so this is JSON. */
export function historyBody(
  { entries, run }: Pick<Claim, "entries" | "run">,
  maxHistory: number,
): string | undefined {
  const parts = entries.map(toJson);
  const size = parts.reduce((sum, part) => sum + part.length + 1, 1);
  if (run && size > maxHistory && hasFeature(run.config, "LazyFetch")) return undefined;
  return `[${parts.join(",")}]`;
}

function toJson({ messageId, body, callType }: HistoryEntry): string {
  return `{"messageId":"${messageId}","body":"${body}","callType":"${callType}"}`;
}

function contentTypeOf({ message }: Claim): string | undefined {
  if (message.purpose === "step") return JSON_TYPE;
  // A type that was only forwarded stands in for one that wasn't given.
  return (
    message.contentType ?? message.forward.find(([name]) => name === HEADER.contentType.toLowerCase())?.[1]
  );
}

function forwarded({ message, run }: Claim): Record<string, string> {
  // By the presence of the version an endpoint tells a step's delivery from everything else.
  const resumes = message.purpose === "step" && !run?.announced;
  const headers: Record<string, string> = resumes ? { [SDK_VERSION]: PROTOCOL_VERSION } : {};
  const add = (list: HeaderList): void => {
    for (const [name, value] of list) if (mayForward(name, resumes)) headers[name] = value;
  };
  if (run) add(run.config.forward);
  add(message.forward);
  return headers;
}

function mayForward(name: string, resumes: boolean): boolean {
  if (OF_CONNECTION.has(name)) return false;
  if (!name.startsWith(OWN) || name === LABEL) return true;
  if (name === SDK_VERSION) return resumes;
  return name.startsWith(WORKFLOW) && !RESERVED.has(name) && !name.startsWith(CALL_RESULT);
}

function ownHeaders(claim: Claim): Record<string, string> {
  const { message, run } = claim;
  const headers: Record<string, string> = {
    "user-agent": USER_AGENT,
    [HEADER.messageId.toLowerCase()]: message.id,
    [HEADER.retried.toLowerCase()]: String(message.retried),
    [HEADER.callerIp.toLowerCase()]: message.callerIp,
  };
  if (run) Object.assign(headers, runHeaders(run, claim));
  return headers;
}

function runHeaders(run: Run, { message, first }: Claim): Record<string, string> {
  const failure = message.purpose === "failure";
  return {
    [HEADER.runId.toLowerCase()]: run.id,
    [HEADER.createdAt.toLowerCase()]: String(run.createdAt),
    [HEADER.workflowUrl.toLowerCase()]: run.url,
    [HEADER.init.toLowerCase()]: String(first && !failure),
    [HEADER.callType.toLowerCase()]: failure ? "failureCall" : "step",
    ...(failure
      ? { [HEADER.isFailure.toLowerCase()]: "true", [HEADER.isFailureCallback.toLowerCase()]: "true" }
      : {}),
    ...(run.announced && !failure ? { [HEADER.unknownSdk.toLowerCase()]: "true" } : {}),
  };
}
