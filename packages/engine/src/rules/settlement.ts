import { HEADER, type HistoryEntry, type RollbackRecord, readRollback } from "@perdure/core/protocol";
import { type Answer, type AnsweredMessage, isTruncated, isUnheard, type Unanswered } from "./answer.ts";
import { toText } from "./bytes.ts";
import type { CallEnd } from "./call.ts";
import { invalid } from "./engine-error.ts";
import type { InlineLimits } from "./inline-records.ts";
import { hasLostRun, type InvocationEnd, isRefusal, readInvocationEnd } from "./invocation.ts";
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
        /** The failure that it is if it leaves a live run with nothing to do. */
        readonly stalled: Failure;
      }
    /** A call has come to its end, one way or the other. */
    | { readonly kind: "called"; readonly end: CallEnd }
    /** A step of a run that has ended was rolled back, or can't be: others may be left. */
    | { readonly kind: "rolledBack"; readonly record: RollbackRecord }
    /** An invocation that had the right to append to its run says how it ended. */
    | {
        readonly kind: "invocation";
        readonly invocation: InvocationEnd & { readonly end: NonNullable<InvocationEnd["end"]> };
        readonly reply: Reply;
        /** As of a delivery. */
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
        /** The endpoint may not have result of the request. */
        readonly unheard?: boolean | undefined;
      }
    | { readonly kind: "failed" }
  );

interface FailedAttempt {
  readonly failure: Failure;
  /** By what the engine decides on another attempt, where attempts are counted in another way than per message. */
  readonly terms?: RetryTerms | undefined;
  /** The end of the failed invocation; `lost` when it had lost the lease. */
  readonly invocation?: InvocationEnd | "lost" | undefined;
}

/** By what the engine decides on another attempt. */
export interface RetryTerms {
  /** Another attempt would not help. */
  readonly final: boolean;
  /** Attempts after the first one. */
  readonly retries: number;
  /** As of a message. */
  readonly retryDelay: string | undefined;
}

/** New facts about the run's endpoint in an answer. */
export interface EndpointFacts {
  readonly capabilities?: string | undefined;
  /** As {@link Run.identified}. */
  readonly identified?: true | undefined;
}

/** A message that is being delivered, with what it takes to judge the answer. */
export interface DeliveredMessage extends AnsweredMessage {
  /** The right to append to the run, where the delivery offers it: the value of `HEADER.lease`. */
  readonly runLease?: string | undefined;
  /** For a step: the run's history up to and with the entry that is delivered. For a call or an answer: that entry. After its end: all of it. */
  readonly entries: readonly HistoryEntry[];
  /** For what comes after a run's end: how far its steps are rolled back. */
  readonly ended?: Ended | undefined;
}

/** Limits that the rules take from the engine's options. */
export interface SettlementLimits {
  /** Milliseconds since 1970. */
  readonly now: number;
  /** Retries that an answer may ask for. */
  readonly mostRetries: number;
  /** For the records in an answer. */
  readonly inline: InlineLimits;
}

const NOT_A_WORKFLOW =
  "detected a non-workflow destination for trigger/invoke. make sure you are sending the request to the correct endpoint";
const NEVER_CONFIGURED = "trigger rest api is only usable with sdk versions after v1.0.0 major version";

/** The rules of success, retry and failure. What the endpoint's answer says of its runs holds for this attempt, too. */
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

/** Takes what the endpoint says of its runs into account. */
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

/** An answer of the workflow's own: of an invocation that has taken the right to append, or of any other delivery. */
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
  if (isTruncated(reply)) {
    const error = `the answer (status ${reply.status}) was cut short`;
    return decide(delivered, { kind: "unanswered", error }, terms);
  }
  const decided = decide(delivered, answer, terms);
  if (hasLostRun(reply) && isFailed(decided)) return { ...decided, invocation: "lost" };
  const origin = { runId: run.id, callerIp: delivered.message.callerIp, now: at };
  try {
    const invocation = readInvocationEnd(reply, origin, inline);
    if (!invocation) return decided;
    const { end } = invocation;
    if (isFailed(decided)) return { ...decided, invocation };
    if (end === undefined) throw invalid("perdure.end", "the answer doesn't say how the invocation ended");
    return { kind: "invocation", invocation: { ...invocation, end }, reply, stalled: stalledBy(at, reply) };
  } catch (error) {
    if (!isRefusal(error)) throw error;
    return { kind: "failed", failure: { at, error: error.message, reply, byEngine: true } };
  }
}

/** Whether an attempt has failed. */
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
  // Whatever a third party does is a result of the run's, and no failure of it.
  return message.kind === "call" ? { kind: "called", end: { at: now, reply, failure } } : decided;
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

function succeed(delivered: DeliveredMessage, answer: Answer, { now: at }: SettlementLimits): Settlement {
  const { message, run, first } = delivered;
  const { reply, source: speaker } = answer;
  if (message.kind === "call") return { kind: "called", end: { at, reply, failure: undefined } };
  const failed = (error: string): Failure => ({ at, error, reply, byEngine: true });
  if (isPostRun(message.kind) && answer.rolledBack) {
    const said = rollbackIn(delivered, reply);
    return typeof said === "string"
      ? { kind: "failed", failure: failed(said) }
      : { kind: "rolledBack", record: said };
  }
  if (message.kind === "step" && first) {
    if (run && hasFeature(run.config, "WF_DetectTrigger") && speaker !== "workflow")
      return { kind: "failed", failure: failed(NOT_A_WORKFLOW) };
    // Had it been configured in the meantime, this delivery would have been withdrawn.
    if (run?.awaitingConfiguration) return { kind: "failed", failure: failed(NEVER_CONFIGURED) };
  }
  return { kind: "delivered", reply, stalled: stalledBy(at, reply) };
}

/** The failure that an answer is which leaves a live run with nothing to do. */
function stalledBy(at: number, reply: Reply): Failure {
  const error = `the run has stalled: the endpoint answered ${reply.status}, but neither submitted a step nor ended the run, and nothing of it is pending`;
  return { at, error, reply, byEngine: true };
}

/** The rollback that an answer tells of; a string says why there is none to record. */
function rollbackIn({ entries, ended }: DeliveredMessage, reply: Reply): RollbackRecord | string {
  const record = readRollback(toText(reply.body));
  if (!record) return "the endpoint says that it made a rollback, and not which";
  const { stepId, stepName } = record;
  // It would go on like this for ever.
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

/** Whether an attempt is to be made again at least three times, whatever its sender has said. */
function isOwedRetries({ kind }: Message, result: Answer | Unanswered): boolean {
  // What killed the endpoint in a step may keep it away a moment longer: that must not cost it the report of its end.
  if (isPostRun(kind)) return isUnheard(result);
  // A page below 500 came instead of the workflow, so no step has begun. Behind a 5xx one may have: `retries` counts.
  return result.kind === "answered" && result.source === "intermediary" && result.reply.status < 500;
}

function isSuccess(reply: Reply): boolean {
  return reply.status >= 200 && reply.status < 300;
}
