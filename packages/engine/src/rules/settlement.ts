import { HEADER, type HistoryEntry, type RollbackRecord, readRollback } from "@perdure/core/protocol";
import { type Answer, type AnsweredMessage, isUnheard, type Unanswered } from "./answer.ts";
import { toText } from "./bytes.ts";
import type { CallEnd } from "./call.ts";
import { DEFAULT_RETRIES, type Failure, isPostRun, type Message, type Reply } from "./message.ts";
import { boundCapabilities, withPolicy } from "./policy.ts";
import { retryWait } from "./retry.ts";
import { type Ended, mayHaveStep } from "./rollback.ts";
import { hasFeature } from "./run.ts";

/** What is to be recorded of an attempt. */
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
    | {
        readonly kind: "retry";
        readonly dueAt: number;
        readonly failure: Failure;
        /** The endpoint may not have result of the request. */
        readonly unheard?: boolean | undefined;
      }
    | { readonly kind: "failed"; readonly failure: Failure }
  );

/** What an answer tells of the run's endpoint for the first time, or anew. */
export interface EndpointFacts {
  readonly capabilities?: string | undefined;
  /** As {@link Run.identified}. */
  readonly identified?: true | undefined;
}

/** A message that is being delivered, with what it takes to judge the answer. */
export interface DeliveredMessage extends AnsweredMessage {
  /** For a step: the run's history up to and with the entry that is delivered. For a call or an answer: that entry. After its end: all of it. */
  readonly entries: readonly HistoryEntry[];
  /** For what comes after a run's end: how far its steps are rolled back. */
  readonly ended?: Ended | undefined;
}

/** What the rules take from outside. */
export interface SettlementLimits {
  /** Milliseconds since 1970. */
  readonly now: number;
  /** Retries that an answer may ask for. */
  readonly mostRetries: number;
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
  const { run, message } = delivered;
  if (!run || result.kind !== "answered" || result.source !== "workflow")
    return decide(delivered, result, terms);
  const identified = run.identified ? {} : ({ identified: true } as const);
  const capabilities =
    result.capabilities === undefined
      ? run.capabilities
      : boundCapabilities(result.capabilities, terms.mostRetries);
  if (capabilities === run.capabilities) return { ...decide(delivered, result, terms), ...identified };
  const learned = { ...run, capabilities };
  const informed = { ...delivered, run: learned, message: withPolicy(message, learned) };
  return { ...decide(informed, result, terms), capabilities, ...identified };
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
  const final = result.kind === "answered" ? result.nonRetryable : result.final;
  if (final || message.retried >= retriesOf(delivered, result, terms)) {
    // Whatever a third party does is a result of the run's, and no failure of it.
    return message.kind === "call"
      ? { kind: "called", end: { at: now, reply, failure } }
      : { kind: "failed", failure };
  }
  const wait = retryWait(message.retryDelay, message.retried, reply?.headers, now);
  return { kind: "retry", dueAt: now + wait, failure, unheard: isUnheard(result) };
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
  const stalled = failed(
    `the run has stalled: the endpoint answered ${reply.status}, but neither submitted a step nor ended the run, and nothing of it is pending`,
  );
  return { kind: "delivered", reply, stalled };
}

/** The rollback that an answer tells of; a string says why there is none to record. */
function rollbackIn({ entries, ended }: DeliveredMessage, reply: Reply): RollbackRecord | string {
  const record = readRollback(toText(reply.body));
  if (!record) return "the endpoint says that it made a rollback, and not which";
  const { stepId, stepName } = record;
  // It would go on like this for ever.
  if (ended?.rollbacks.some((one) => one.stepId === stepId))
    return `the endpoint says that it rolled step ${stepId} back, which it was told was over`;
  if (!mayHaveStep(entries, record))
    return `the endpoint says that it rolled back step ${stepId} "${stepName}", which this run doesn't have`;
  return record;
}

/** A step, or a rollback, may have retries of its own, more or fewer than the delivery that carries it out. */
function retriesOf(
  { message }: DeliveredMessage,
  result: Answer | Unanswered,
  { mostRetries }: SettlementLimits,
): number {
  const asked = result.kind === "answered" ? result.retries : undefined;
  if (asked !== undefined) return Math.min(asked, mostRetries);
  return isOwedRetries(message, result) ? Math.max(message.maxRetries, DEFAULT_RETRIES) : message.maxRetries;
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
