import {
  HEADER,
  isSameUrl,
  LOWERCASE_HEADER,
  NON_RETRYABLE_STATUS,
  type RollbackAnswer,
} from "@perdure/core/protocol";
import { closeResult } from "./answer-excerpt.ts";
import { toText } from "./bytes.ts";
import { failedStepIn, firstValue, type HeaderMap } from "./header.ts";
import { isPostRun, type Message, type Reply } from "./message.ts";
import { hasFeature, type Run } from "./run.ts";

/** The result of a request, before the engine decides who answered it. */
export type Attempt = { readonly kind: "answered"; readonly reply: Reply } | Unanswered;

/** No answer, or none in time. `error` says why in one line; `final` is true when no attempt can succeed. */
export interface Unanswered {
  readonly kind: "unanswered";
  readonly error: string;
  readonly final?: boolean;
}

/**
 * The sender of an answer. From every answer, the engine reads the status, the body, `Retry-After` and
 * whether another attempt would not help. It reads everything else that the workflow protocol lets an
 * endpoint say only from the run's own endpoint: any server can send headers.
 */
export type AnswerSource =
  /** The run's own endpoint: the answer carries the header of the workflow protocol. */
  | "workflow"
  /**
   * The run's own endpoint, as far as the engine can tell: the endpoint has never sent the header, as old
   * SDKs don't.
   */
  | "unidentified"
  /** A proxy, a login page or a CDN in front of the run's own endpoint, which itself sends the header. */
  | "intermediary"
  /** Another destination: a called service, a plain message's destination, a `failureUrl` elsewhere. */
  | "third party";

/** An answer, with all that the engine reads from its headers. */
export interface Answer extends AnswerDetails {
  readonly kind: "answered";
  readonly source: AnswerSource;
  readonly reply: Reply;
}

interface AnswerDetails {
  /** True if another attempt would not help. */
  readonly nonRetryable: boolean;
  /** Retries that the failing step, or rollback, asks for. */
  readonly retries: number | undefined;
  /** Name of the step that failed. */
  readonly failedStep: string | undefined;
  /** The endpoint has no failure function: its 2xx handled nothing. */
  readonly unhandled: boolean;
  /** The body is the record of a rollback. */
  readonly rolledBack: boolean;
  /** The endpoint's capabilities, as {@link Run.capabilities}. */
  readonly capabilities: string | undefined;
  /** The lease of the run that the endpoint has taken: its right to append. */
  readonly lease: string | undefined;
}

/** The message that was answered, with the engine's facts about the run's endpoint. */
export interface AnsweredMessage {
  readonly message: Message;
  readonly run: Run | undefined;
  /** The delivery carries the run's payload and nothing else yet. */
  readonly first: boolean;
}

const RECORDED: RollbackAnswer = "recorded";

/** Decides who sent an answer, and reads from it what that sender may say. */
export function interpretAnswer(asked: AnsweredMessage, attempt: Attempt): Answer | Unanswered {
  if (attempt.kind !== "answered") return attempt;
  const { reply } = attempt;
  const source = sourceOf(asked, reply);
  if (source === "workflow" && isHalf(asked, reply))
    return { kind: "unanswered", error: `the answer (status ${reply.status}) was cut short` };
  return { kind: "answered", source, reply: keptReply(asked, source, reply), ...detailsFrom(source, reply) };
}

/** Returns the answer as the log shows it. */
function keptReply({ message }: AnsweredMessage, source: AnswerSource, reply: Reply): Reply {
  // The log reads an answer to a report again: there, a third party's answer must not look like a workflow's.
  if (source === "third party")
    return message.kind === "failure" ? { ...reply, headers: withoutProtocol(reply.headers) } : reply;
  return reply.cut && isPostRun(message.kind) ? { ...reply, body: closeResult(reply.body) } : reply;
}

/**
 * Returns true if a successful answer of the workflow's has lost its end on the way: the engine must not take it for
 * heard. Perdure's runtime always answers JSON. Of other SDKs, the engine requires that only where an answer says so,
 * and ends a report.
 */
function isHalf({ message, run }: AnsweredMessage, reply: Reply): boolean {
  const { status, headers, cut } = reply;
  // The engine itself has cut an answer that is too long: its beginning has arrived.
  if (status < 200 || status > 299 || cut) return false;
  const isOwn = run?.capabilities !== undefined || firstValue(headers, HEADER.capabilities) !== undefined;
  if (isOwn) return !isJson(reply);
  return isPostRun(message.kind) && status === 200 && isTruncated(reply);
}

function sourceOf({ message, run, first }: AnsweredMessage, reply: Reply): AnswerSource {
  if (!run || !isForWorkflow(message, run)) return "third party";
  if (firstValue(reply.headers, HEADER.sdkVersion)) return "workflow";
  // The first delivery finds out whether the destination is a workflow at all.
  const expected = run.identified || (!first && hasFeature(run.config, "WF_DetectTrigger"));
  return expected ? "intermediary" : "unidentified";
}

/**
 * Returns true if a message goes to the run's own endpoint. Only the workflow itself says where its steps and
 * answers go.
 */
function isForWorkflow({ kind, url }: Message, run: Run): boolean {
  switch (kind) {
    case "step":
    case "answer":
    case "rollback":
    case "cancel":
      return true;
    case "failure":
      return isSameUrl(url, run.url);
    case "call":
    case "message":
      return false;
  }
}

/**
 * Returns true if an answer lacks its end: it is longer than the engine reads, or says that it is JSON and
 * isn't.
 */
export function isTruncated(reply: Reply): boolean {
  if (reply.cut) return true;
  return (
    (firstValue(reply.headers, HEADER.contentType)?.includes("application/json") ?? false) && !isJson(reply)
  );
}

function isJson({ body }: Reply): boolean {
  try {
    JSON.parse(toText(body));
    return true;
  } catch {
    return false;
  }
}

function detailsFrom(source: AnswerSource, { status, headers }: Reply): AnswerDetails {
  const certain = source === "workflow";
  const likely = certain || source === "unidentified";
  const retries = firstValue(headers, HEADER.maxRetries) ?? "";
  return {
    // QStash documents this for every destination, and it can only end attempts sooner.
    nonRetryable: source !== "intermediary" && isNonRetryable(status, headers),
    retries: certain && /^\d{1,4}$/.test(retries) ? Number(retries) : undefined,
    failedStep: likely ? failedStepIn(headers) : undefined,
    unhandled: likely && isUnhandled({ headers }),
    rolledBack: certain && firstValue(headers, HEADER.rollback) === RECORDED,
    capabilities: certain ? firstValue(headers, HEADER.capabilities) : undefined,
    lease: certain ? firstValue(headers, HEADER.lease) : undefined,
  };
}

function isNonRetryable(status: number, headers: HeaderMap): boolean {
  // 489 by the protocol. Perdure's runtime also marks its answers to requests that it can't read (400) or
  // that are too large (413).
  const final = [NON_RETRYABLE_STATUS, 400, 413].includes(status);
  return final && firstValue(headers, HEADER.nonRetryable)?.toLowerCase() === "true";
}

/**
 * Returns true if the answer to a report, as {@link interpretAnswer} has left it, says that the endpoint has
 * no failure function.
 */
export function isUnhandled(reply: Pick<Reply, "headers">): boolean {
  return firstValue(reply.headers, HEADER.noFailureFunction)?.toLowerCase() === "true";
}

const PROTOCOL: ReadonlySet<string> = new Set([
  LOWERCASE_HEADER.noFailureFunction,
  LOWERCASE_HEADER.errorStepName,
  LOWERCASE_HEADER.maxRetries,
  LOWERCASE_HEADER.rollback,
  LOWERCASE_HEADER.capabilities,
]);

function withoutProtocol(headers: HeaderMap): HeaderMap {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !PROTOCOL.has(name)));
}

/**
 * Returns true if the endpoint may not have received the request at all.
 *
 * A login page, a redirect or a 404 of an intermediary, and the gateway errors (502 to 504, a CDN's 520 to
 * 530) of the proxy in front of an endpoint that never sends the header.
 */
export function isUnheard(result: Answer | Unanswered): boolean {
  if (result.kind !== "answered") return true;
  switch (result.source) {
    case "workflow":
      return false;
    case "intermediary":
      return true;
    case "unidentified":
    case "third party":
      return isGatewayError(result.reply.status);
  }
}

function isGatewayError(status: number): boolean {
  return (status >= 502 && status <= 504) || (status >= 520 && status <= 530);
}
