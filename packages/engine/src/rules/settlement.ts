import { HEADER, type HistoryEntry, type RollbackRecord, readRollback } from "@perdure/core/protocol";
import { type Answer, type AnsweredMessage, isTruncated, isUnheard, type Unanswered } from "./answer.ts";
import { toBytes, toText } from "./bytes.ts";
import type { CallEnd } from "./call-record.ts";
import { type EngineError, invalid } from "./engine-error.ts";
import { type InlineLimits, RecordRefused, type RefusedRecord } from "./inline-records.ts";
import {
  hasLostRun,
  type InvocationEnd,
  isRefusal,
  keyOfStep,
  readInvocationEnd,
  refusalReply,
  withoutInvocationEnd,
} from "./invocation.ts";
import { DEFAULT_RETRIES, type Failure, isPostRun, type Message, type Reply } from "./message.ts";
import { boundCapabilities, withPolicy } from "./policy.ts";
import { allowedRetries, decideRetry } from "./retry.ts";
import { type Ended, mayHaveStep } from "./rollback.ts";
import { hasFeature, type Run } from "./run.ts";

/** The changes to record after an attempt. */
export type Settlement = EndpointFacts &
  (
    | {
        readonly kind: "delivered";
        readonly reply: Reply;
        /** The failure to record if the answer leaves a live run with nothing pending. */
        readonly stalled: Failure;
      }
    /** A call has ended, with an answer or with its last failure. */
    | { readonly kind: "called"; readonly end: CallEnd }
    /** The rollback of one step of an ended run has succeeded or failed. Other steps may be left. */
    | { readonly kind: "rolledBack"; readonly record: RollbackRecord }
    /** An invocation that had the right to append to its run says how it ended. */
    | {
        readonly kind: "invocation";
        readonly invocation: InvocationEnd & { readonly end: NonNullable<InvocationEnd["end"]> };
        readonly reply: Reply;
        /** The failure to record if the answer leaves a live run with nothing pending. */
        readonly stalled: Failure;
      }
    | FailedDelivery
  );

/** A failed attempt, and whether another one follows. */
export type FailedDelivery = FailedAttempt &
  (
    | {
        readonly kind: "retry";
        readonly dueAt: number;
        /** The endpoint may not have received the request. */
        readonly unheard?: boolean | undefined;
      }
    | { readonly kind: "failed" }
  );

interface FailedAttempt {
  readonly failure: Failure;
  /** The facts for another decision, where attempts aren't counted per message. */
  readonly terms?: RetryTerms | undefined;
  /** The end of the failed invocation. `lost`: it no longer had the lease. */
  readonly invocation?: InvocationEnd | "lost" | undefined;
}

/** The facts by which the engine decides on another attempt. */
export interface RetryTerms {
  /** Another attempt would not help. */
  readonly final: boolean;
  /** Attempts after the first one. */
  readonly retries: number;
  /** The expression of the message or the run for the wait. */
  readonly retryDelay: string | undefined;
}

/** New facts about the run's endpoint in an answer. */
export interface EndpointFacts {
  readonly capabilities?: string | undefined;
  /** See {@link Run.identified}. */
  readonly identified?: true | undefined;
}

/** A message whose answer is judged, with the facts that the decision needs. */
export interface DeliveredMessage extends AnsweredMessage {
  /** The right to append to the run, where the delivery offers it: the value of `HEADER.lease`. */
  readonly runLease?: string | undefined;
  /**
   * For a step: the run's history up to and including the delivered entry. For a call or an answer: that
   * entry. For a message that follows the run's end: the whole history.
   */
  readonly entries: readonly HistoryEntry[];
  /** For a message that follows the run's end: the state of the rollbacks. */
  readonly ended?: Ended | undefined;
}

/** Limits that the rules take from the engine's options. */
export interface SettlementLimits {
  /** Milliseconds since 1970. */
  readonly now: number;
  /** Retries that an answer may ask for. */
  readonly mostRetries: number;
  /** The limits for the records in an answer. */
  readonly inline: InlineLimits;
  /** Bytes of an answer to a call up to which the engine accepts the record that an endpoint makes of it. */
  readonly recordableBytes: number;
}

const NOT_A_WORKFLOW =
  "detected a non-workflow destination for trigger/invoke. make sure you are sending the request to the correct endpoint";
const NEVER_CONFIGURED = "trigger rest api is only usable with sdk versions after v1.0.0 major version";

/**
 * Decides about success, retry and failure. The facts about the endpoint in an answer apply to this attempt,
 * too.
 */
export function decideSettlement(
  delivered: DeliveredMessage,
  result: Answer | Unanswered,
  terms: SettlementLimits,
): Settlement {
  const { run } = delivered;
  if (!run || result.kind !== "answered" || result.source !== "workflow")
    return decide(delivered, result, terms);
  return {
    ...decideInformed(delivered, run, result, terms),
    ...(run.identified ? {} : { identified: true }),
  };
}

/** Decides with the facts about the endpoint that its answer holds. */
function decideInformed(
  delivered: DeliveredMessage,
  run: Run,
  answer: Answer,
  terms: SettlementLimits,
): Settlement {
  const capabilities =
    answer.capabilities === undefined
      ? run.capabilities
      : boundCapabilities(answer.capabilities, terms.mostRetries);
  if (capabilities === run.capabilities) return decideOwn(delivered, run, answer, terms);
  const learned = { ...run, capabilities };
  const informed = { ...delivered, run: learned, message: withPolicy(delivered.message, learned) };
  return { ...decideOwn(informed, learned, answer, terms), capabilities };
}

/**
 * An answer of the workflow itself: to an invocation that has taken the right to append, or to any other
 * delivery.
 */
function decideOwn(
  delivered: DeliveredMessage,
  run: Run,
  answer: Answer,
  terms: SettlementLimits,
): Settlement {
  const taken = delivered.runLease !== undefined && answer.lease === delivered.runLease;
  return taken ? decideInvocation(delivered, run, answer, terms) : decide(delivered, answer, terms);
}

function decideInvocation(
  delivered: DeliveredMessage,
  run: Run,
  answer: Answer,
  terms: SettlementLimits,
): Settlement {
  const { reply } = answer;
  const { now: at, inline } = terms;
  const error = `the answer (status ${reply.status}) was cut short`;
  const cutShort = (): Settlement => decide(delivered, { kind: "unanswered", error }, terms);
  if (isTruncated(reply)) return cutShort();
  const kept = isSuccess(reply) ? { ...reply, body: NOTHING } : withoutInvocationEnd(reply);
  const decided = decide(delivered, { ...answer, reply: kept }, terms);
  if (hasLostRun(reply) && isFailed(decided)) return { ...decided, invocation: "lost" };
  const origin = { runId: run.id, callerIp: delivered.message.callerIp, now: at };
  try {
    const invocation = readInvocationEnd(reply, origin, inline);
    // The body of a successful answer always tells how the invocation ended.
    if (!invocation) return isFailed(decided) ? decided : cutShort();
    const { end, refused } = invocation;
    if (refused) return refuse(at, kept, { ...invocation, refused });
    if (isFailed(decided)) return { ...decided, invocation };
    if (end === undefined) throw invalid("perdure.end", "the answer doesn't say how the invocation ended");
    return {
      kind: "invocation",
      invocation: { ...invocation, end },
      reply: kept,
      stalled: stalledBy(at, kept),
    };
  } catch (error) {
    if (!isRefusal(error)) throw error;
    return { kind: "failed", failure: { at, error: error.message, reply: kept, byEngine: true } };
  }
}

/** The kept part of a successful answer whose body is the end of its invocation and nothing else. */
const NOTHING = toBytes("{}");

/** Fails the run at the step whose record the engine refuses: a retry would only repeat the step's work. */
function refuse(
  at: number,
  answer: Reply,
  invocation: InvocationEnd & { readonly refused: RefusedRecord },
): FailedDelivery {
  const { refused } = invocation;
  const reply = refusalReply(answer, refused);
  const failure: Failure = { at, error: `the endpoint answered ${reply.status}`, reply, byEngine: false };
  const terms: RetryTerms = { final: true, retries: 0, retryDelay: undefined };
  return { kind: "failed", failure, terms, invocation: { ...invocation, failed: keyOfStep(refused.record) } };
}

/**
 * The settlement in place of one that the store has refused. It fails the step whose record was refused, and keeps the
 * records before it; without such a record, it fails the delivery.
 *
 * @param at milliseconds since 1970
 */
export function settleRefusal(settlement: Settlement, error: EngineError, at: number): Settlement {
  const { capabilities, identified } = settlement;
  const facts: EndpointFacts = { capabilities, identified };
  const invocation = invocationOf(settlement);
  const reply = settlement.kind === "invocation" ? settlement.reply : failedReply(settlement);
  if (!(error instanceof RecordRefused) || !invocation || !reply)
    return { ...facts, kind: "failed", failure: { at, error: error.message, reply, byEngine: true } };
  const end = invocation.entries.findIndex(({ key }) => key === error.key);
  const refused = { record: error.record, reason: error.message };
  return {
    ...facts,
    ...refuse(at, reply, { ...invocation, entries: invocation.entries.slice(0, end), refused }),
  };
}

/** The end of the invocation with whose records a settlement may be refused. */
export function invocationOf(settlement: Settlement): InvocationEnd | undefined {
  if (settlement.kind === "invocation") return settlement.invocation;
  return isFailed(settlement) && typeof settlement.invocation === "object"
    ? settlement.invocation
    : undefined;
}

function failedReply(settlement: Settlement): Reply | undefined {
  return isFailed(settlement) ? settlement.failure.reply : undefined;
}

/** Returns true if an attempt has failed. */
export function isFailed(settlement: Settlement): settlement is EndpointFacts & FailedDelivery {
  return settlement.kind === "retry" || settlement.kind === "failed";
}

function decide(
  delivered: DeliveredMessage,
  result: Answer | Unanswered,
  terms: SettlementLimits,
): Settlement {
  const { message } = delivered;
  const { now } = terms;
  const answered = result.kind === "answered" && isSuccess(result.reply);
  if (answered && result.source !== "intermediary") return succeed(delivered, result, terms);
  const reply = result.kind === "answered" ? result.reply : undefined;
  const failure: Failure = { at: now, error: reasonOf(delivered, result), reply, byEngine: answered };
  const final = (result.kind === "answered" ? result.nonRetryable : result.final) ?? false;
  const retries = retriesOf(delivered, result, terms);
  const attempt = { failure, retried: message.retried, unheard: isUnheard(result) };
  const decided = decideNextAttempt(attempt, { final, retries, retryDelay: message.retryDelay });
  if (decided.kind === "retry") return decided;
  // A third party's answer is a result of the run, and never a failure of the run.
  if (message.kind !== "call") return decided;
  return { kind: "called", end: { ...callEnd(delivered, reply, terms), failure } };
}

/** A failed attempt, as {@link decideNextAttempt} needs it. */
export interface CountedFailure {
  readonly failure: Failure;
  /** Retries made so far: 0 after the first attempt. */
  readonly retried: number;
  /** The endpoint may not have received the request. */
  readonly unheard?: boolean;
}

/** Settles a failed attempt by {@link decideRetry}. */
export function decideNextAttempt(
  { failure, retried, unheard }: CountedFailure,
  terms: RetryTerms,
): FailedDelivery {
  const headers = failure.reply?.headers;
  const decision = decideRetry({ ...terms, at: failure.at, retried, headers, unheard });
  if (decision.kind === "give up") return { kind: "failed", failure, terms };
  return { kind: "retry", dueAt: decision.at, failure, terms, unheard: decision.alarm };
}

function reasonOf({ message }: DeliveredMessage, result: Answer | Unanswered): string {
  if (result.kind !== "answered") return result.error;
  const { status } = result.reply;
  if (message.kind === "call") return `the third party answered ${status}`;
  return result.source === "intermediary" && isSuccess(result.reply)
    ? `the answer (status ${status}) isn't the workflow's: it lacks the header ${HEADER.sdkVersion}, which this endpoint sends. A proxy, a login page or a CDN in front of the endpoint may have given it`
    : `the endpoint answered ${status}`;
}

/** The end of a call, without its failure. */
function callEnd(
  { run }: DeliveredMessage,
  reply: Reply | undefined,
  { now: at, recordableBytes }: SettlementLimits,
): Omit<CallEnd, "failure"> {
  // Only Perdure's own runtime sends its capabilities. Others expect a delivery of the answer.
  const isOwn = run?.capabilities !== undefined;
  return { at, reply, recordedByEngine: isOwn && (reply?.body.length ?? 0) > recordableBytes };
}

function succeed(delivered: DeliveredMessage, answer: Answer, terms: SettlementLimits): Settlement {
  const { now: at } = terms;
  const { message, run, first } = delivered;
  const { reply, source } = answer;
  if (message.kind === "call")
    return { kind: "called", end: { ...callEnd(delivered, reply, terms), failure: undefined } };
  const failed = (error: string): Failure => ({ at, error, reply, byEngine: true });
  if (isPostRun(message.kind) && answer.rolledBack) {
    const said = rollbackIn(delivered, reply);
    return typeof said === "string"
      ? { kind: "failed", failure: failed(said) }
      : { kind: "rolledBack", record: said };
  }
  if (message.kind === "step" && first) {
    if (run && hasFeature(run.config, "WF_DetectTrigger") && source !== "workflow")
      return { kind: "failed", failure: failed(NOT_A_WORKFLOW) };
    // A configuration that came meanwhile would have withdrawn this delivery.
    if (run?.awaitingConfiguration) return { kind: "failed", failure: failed(NEVER_CONFIGURED) };
  }
  return { kind: "delivered", reply, stalled: stalledBy(at, reply) };
}

/** The failure for an answer that leaves a live run with nothing pending. */
function stalledBy(at: number, reply: Reply): Failure {
  const error = `the run has stalled: the endpoint answered ${reply.status}, but neither submitted a step nor ended the run, and nothing of it is pending`;
  return { at, error, reply, byEngine: true };
}

/** Reads the rollback from an answer. @returns a string that says why there is none to record */
function rollbackIn({ entries, ended }: DeliveredMessage, reply: Reply): RollbackRecord | string {
  const record = readRollback(toText(reply.body));
  if (!record) return "the endpoint reports a rollback without its step";
  const { stepId, stepName } = record;
  // Without this check, the engine would ask for the rollback forever.
  if (ended?.rollbacks.some((one) => one.stepId === stepId))
    return `the endpoint says that it rolled step ${stepId} back, which it was told was over`;
  if (!mayHaveStep(entries, record, ended?.underWay?.length))
    return `the endpoint says that it rolled back step ${stepId} "${stepName}", which this run doesn't have`;
  return record;
}

/** The retries of a delivery. A step, or a rollback, may ask for more or fewer than the message has. */
function retriesOf(
  { message }: DeliveredMessage,
  result: Answer | Unanswered,
  { mostRetries: most }: SettlementLimits,
): number {
  const asked = result.kind === "answered" ? result.retries : undefined;
  const least = isOwedRetries(message, result) ? DEFAULT_RETRIES : 0;
  return allowedRetries({ asked, own: message.maxRetries, most, least });
}

/** Returns true if the engine retries an attempt at least three times, whatever the sender's retries. */
function isOwedRetries({ kind }: Message, result: Answer | Unanswered): boolean {
  // The crash of an endpoint in a step may last a little longer: the report of the run's end must survive it.
  if (isPostRun(kind)) return isUnheard(result);
  // A page below 500 didn't come from the workflow, so no step has begun. Behind a 5xx a step may have begun:
  // `retries` counts.
  return result.kind === "answered" && result.source === "intermediary" && result.reply.status < 500;
}

function isSuccess(reply: Reply): boolean {
  return reply.status >= 200 && reply.status < 300;
}
