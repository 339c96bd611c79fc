import { createHash } from "node:crypto";
import {
  boundHeaders,
  CANCEL_CALL,
  CONNECTION_HEADERS,
  type FailureBody,
  type FailureDetails,
  type HistoryEntry,
  isSameUrl,
  kindOf,
  LOWERCASE_HEADER,
  LOWERCASE_PREFIX,
  PROTOCOL_VERSION,
  parseFailure,
  RETRIES_BY_DEFAULT,
} from "@perdure/core/protocol";
import { fromBase64, toText } from "../rules/bytes.ts";
import type { HeaderList } from "../rules/header.ts";
import { type KnownRollbacks, pendingRollbacks } from "../rules/rollback.ts";
import { hasFeature, RESERVED, type Run } from "../rules/run.ts";
import type { Claim } from "../store/claims.ts";
import type { Signer } from "./signer.ts";
import type { OutgoingRequest } from "./transport.ts";

const JSON_TYPE = "application/json";
const USER_AGENT = "Upstash-QStash";
const OWN = LOWERCASE_PREFIX.own;
const WORKFLOW = LOWERCASE_PREFIX.workflow;
const LABEL = LOWERCASE_HEADER.label;
const SDK_VERSION = LOWERCASE_HEADER.sdkVersion;
const CALL_RESULT = LOWERCASE_HEADER.isCallResult;
/** Headers that the engine doesn't forward: a receiver would mistake the copy for the engine's own. */
const ENGINE_ONLY: ReadonlySet<string> = new Set([
  LOWERCASE_HEADER.lease,
  LOWERCASE_HEADER.engineTime,
  LOWERCASE_HEADER.originalRun,
]);

// Headers that belong to one connection, or that the request sets itself.
const OF_CONNECTION: ReadonlySet<string> = new Set([...CONNECTION_HEADERS, "content-type", "user-agent"]);

/** A delivery's request, without the signal of its attempt. */
export type DeliveryRequest = Omit<OutgoingRequest, "signal">;

/** Settings with which the engine makes its requests. */
interface RequestSettings {
  readonly signer: Signer;
  /** Bytes above which the engine leaves a history for the endpoint to fetch, if the endpoint can. */
  readonly maxHistory: number;
  readonly now: number;
  /** The region that the request names. */
  readonly region: string | undefined;
}

/** Makes the request that delivers a message. Forwarded headers can't override the engine's own. */
export async function toRequest(
  claim: Claim,
  { signer, maxHistory, now, region }: RequestSettings,
): Promise<DeliveryRequest> {
  const { message } = claim;
  const body = bodyOf(claim, maxHistory);
  const headers =
    message.kind === "call"
      ? callHeaders(claim)
      : { ...forwarded(claim), ...ownHeaders(claim), ...inlineHeaders(claim, now) };
  const contentType = contentTypeOf(claim);
  if (contentType !== undefined) headers[LOWERCASE_HEADER.contentType] = contentType;
  if (region !== undefined) headers[LOWERCASE_HEADER.region] = region;
  // A request to a third party doesn't contain the run's id.
  const runId = message.kind === "call" ? undefined : claim.run?.id;
  const sent = new Headers(headers);
  const bound = createHash("sha256").update(boundHeaders(sent)).digest("base64url");
  headers[LOWERCASE_HEADER.signature] = await signer.sign({
    url: message.url,
    body: body ?? "",
    claim: {
      kind: message.kind === "call" ? "call" : kindOf(sent),
      ...(runId ? { runId } : {}),
      messageId: message.id,
      headers: bound,
    },
    now,
  });
  return { url: message.url, method: message.method, headers, body };
}

/** Whether the bodies that a claim lacks are too large to send: then the endpoint fetches them. */
export function isLeftToFetch({ message, run, omitted }: Claim, maxHistory: number): boolean {
  // The limit applies to an answer's bytes, but to a history's size in base64.
  const size = message.kind === "answer" ? Math.floor(omitted / 4) * 3 - 2 : omitted;
  return (
    message.kind !== "call" && run !== undefined && size > maxHistory && hasFeature(run.config, "LazyFetch")
  );
}

function bodyOf(claim: Claim, maxHistory: number): DeliveryRequest["body"] {
  const { message, run, entries } = claim;
  if (isLeftToFetch(claim, maxHistory)) return undefined;
  switch (message.kind) {
    case "message":
      return message.body;
    case "failure":
    case "rollback":
    case "cancel":
      return run ? endedBody(claim, maxHistory) : message.body;
    case "step":
      return historyBody(claim, maxHistory);
    case "call":
    case "answer": {
      // A call of an inline run has no entry of its own.
      const body = message.body ?? fromBase64(entries.at(-1)?.body ?? "");
      if (message.kind === "call") return body.length > 0 ? body : undefined;
      const left = run && body.length > maxHistory && hasFeature(run.config, "LazyFetch");
      return left ? undefined : body;
    }
  }
}

/**
 * The report of a run's end, with the fields that only this engine sends. The endpoint must fetch a large
 * history.
 */
function endedBody({ message, run, entries, ended }: Claim, maxHistory: number): string {
  const report = JSON.parse(toText(message.body ?? new Uint8Array())) as FailureBody;
  const elsewhere = message.kind === "failure" && !isSameUrl(message.url, run?.url ?? "");
  const only = message.kind === "rollback" ? "rollback" : elsewhere ? "report" : undefined;
  const { rollbacks = [], started = [], begun = false, underWay, pending = false } = ended ?? {};
  const size = entries.reduce((sum, { body }) => sum + body.length, 0);
  const details: FailureDetails = {
    ...report.perdure,
    ...(size > maxHistory ? {} : { history: entries }),
    started,
    begun,
    ...(underWay ? { underWay } : {}),
    rollbacks,
    ...(elsewhere && pending ? stillPending({ entries, rollbacks, started }, report) : {}),
    ...(only ? { only } : {}),
  };
  return JSON.stringify({ ...report, perdure: details });
}

/**
 * The recorded and the expected rollbacks, for a failure that the engine reports before its rollbacks end.
 */
function stillPending(known: KnownRollbacks, report: FailureBody): Partial<FailureDetails> {
  const pending = pendingRollbacks(known, parseFailure(JSON.stringify(report)).step);
  return { rollbacks: [...known.rollbacks, ...pending], rollbacksPending: true };
}

/** Serializes entries as JSON. Ids and base64 need no escaping. */
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
  if (message.kind === "step" || message.kind === "answer") return JSON_TYPE;
  // A forwarded content type applies when the message has none of its own.
  return message.contentType ?? message.forward.find(([name]) => name === LOWERCASE_HEADER.contentType)?.[1];
}

function forwarded({ message, run }: Claim): Record<string, string> {
  // An endpoint recognizes a step's delivery by the presence of the version header.
  const resumes = message.kind === "step" && !run?.awaitingConfiguration;
  const headers: Record<string, string> = resumes ? { [SDK_VERSION]: PROTOCOL_VERSION } : {};
  const add = (list: HeaderList): void => {
    for (const [name, value] of list) if (mayForward(name, resumes)) headers[name] = value;
  };
  if (run) add(run.config.forward);
  add(message.forward);
  return headers;
}

/**
 * The headers of a request to a third party: the workflow's headers unchanged, and the engine's own. The
 * token marks the request as a call, so a protocol header among them doesn't mislead a called workflow.
 */
function callHeaders({ message }: Claim): Record<string, string> {
  const headers: Record<string, string> = { "user-agent": USER_AGENT };
  for (const [name, value] of message.forward) {
    if (name === "user-agent" || !OF_CONNECTION.has(name)) headers[name] = value;
  }
  headers[LOWERCASE_HEADER.messageId] = message.id;
  headers[LOWERCASE_HEADER.retried] = String(message.retried);
  return headers;
}

function mayForward(name: string, resumes: boolean): boolean {
  if (OF_CONNECTION.has(name) || ENGINE_ONLY.has(name)) return false;
  if (!name.startsWith(OWN) || name === LABEL) return true;
  if (name === SDK_VERSION) return resumes;
  return name.startsWith(WORKFLOW) && !RESERVED.has(name) && !name.startsWith(CALL_RESULT);
}

function ownHeaders(claim: Claim): Record<string, string> {
  const { message, run } = claim;
  const headers: Record<string, string> = {
    "user-agent": USER_AGENT,
    [LOWERCASE_HEADER.messageId]: message.id,
    [LOWERCASE_HEADER.retried]: String(message.retried),
    [LOWERCASE_HEADER.callerIp]: message.callerIp,
    ...(message.urlGroup ? { [LOWERCASE_HEADER.topicName]: message.urlGroup.name } : {}),
  };
  if (message.schedule !== undefined) headers[LOWERCASE_HEADER.scheduleId] = message.schedule;
  if (run) Object.assign(headers, runHeaders(run, claim));
  return headers;
}

/** The headers of inline execution: the right to append to the run, with its times and its id. */
function inlineHeaders({ run, runLease }: Claim, now: number): Record<string, string> {
  return {
    ...(runLease === undefined
      ? {}
      : { [LOWERCASE_HEADER.lease]: runLease, [LOWERCASE_HEADER.engineTime]: String(now) }),
    ...(run?.origin === undefined ? {} : { [LOWERCASE_HEADER.originalRun]: run.origin }),
  };
}

function runHeaders(run: Run, { message, first }: Claim): Record<string, string> {
  const failure = message.kind === "failure" || message.kind === "rollback";
  const canceled = message.kind === "cancel";
  const answer = message.kind === "answer";
  const isDefault =
    message.kind === "step" && run.config.retries === undefined && run.capabilities === undefined;
  return {
    [LOWERCASE_HEADER.runId]: run.id,
    [LOWERCASE_HEADER.createdAt]: String(run.createdAt),
    [LOWERCASE_HEADER.workflowUrl]: run.url,
    [LOWERCASE_HEADER.init]: String(first),
    [LOWERCASE_HEADER.maxRetries]: `${message.maxRetries}${isDefault ? RETRIES_BY_DEFAULT : ""}`,
    [LOWERCASE_HEADER.callType]: canceled
      ? CANCEL_CALL
      : failure
        ? "failureCall"
        : answer
          ? "fromCallback"
          : "step",
    ...(answer ? { [LOWERCASE_HEADER.isCallResult]: "true" } : {}),
    ...(failure
      ? { [LOWERCASE_HEADER.isFailure]: "true", [LOWERCASE_HEADER.isFailureCallback]: "true" }
      : {}),
    ...(run.awaitingConfiguration && message.kind === "step"
      ? { [LOWERCASE_HEADER.unknownSdk]: "true" }
      : {}),
  };
}
