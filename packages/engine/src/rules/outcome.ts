import { HEADER, type HistoryEntry, type RollbackRecord, readRollback } from "@perdure/core/protocol";
import { type Answer, type Asked, isUnheard, type Unanswered } from "./answer.ts";
import { toText } from "./bytes.ts";
import type { CallEnd } from "./call.ts";
import { DEFAULT_RETRIES, type Failure, isAfterwards, type Message, type Reply } from "./message.ts";
import { boundTraits, withPolicy } from "./policy.ts";
import { retryWait } from "./retry.ts";
import { type Ended, mayHaveStep } from "./rollback.ts";
import { hasFeature } from "./run.ts";

/** What is to be recorded of an attempt. */
export type Settlement = Learned &
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
        /** The endpoint may not have heard of the request. */
        readonly unheard?: boolean | undefined;
      }
    | { readonly kind: "failed"; readonly failure: Failure }
  );

/** What an answer tells of the run's endpoint for the first time, or anew. */
export interface Learned {
  readonly traits?: string | undefined;
  /** As {@link Run.identified}. */
  readonly identified?: true | undefined;
}

/** A message that is being delivered, with what it takes to judge the answer. */
export interface Delivered extends Asked {
  /** For a step: the run's history up to and with the entry that is delivered. For a call or an answer: that entry. After its end: all of it. */
  readonly entries: readonly HistoryEntry[];
  /** For what comes after a run's end: how far its steps are rolled back. */
  readonly ended?: Ended | undefined;
}

/** What the rules take from outside. */
export interface Terms {
  /** Milliseconds since 1970. */
  readonly now: number;
  /** Retries that an answer may ask for. */
  readonly mostRetries: number;
}

const NOT_A_WORKFLOW =
  "detected a non-workflow destination for trigger/invoke. make sure you are sending the request to the correct endpoint";
const NEVER_CONFIGURED = "trigger rest api is only usable with sdk versions after v1.0.0 major version";

/** The rules of success, retry and failure. What the endpoint's answer says of its runs holds for this attempt, too. */
export function judge(delivered: Delivered, heard: Answer | Unanswered, terms: Terms): Settlement {
  const { run, message } = delivered;
  if (!run || heard.kind !== "answered" || heard.speaker !== "workflow")
    return decide(delivered, heard, terms);
  const identified = run.identified ? {} : ({ identified: true } as const);
  const traits = heard.traits === undefined ? run.traits : boundTraits(heard.traits, terms.mostRetries);
  if (traits === run.traits) return { ...decide(delivered, heard, terms), ...identified };
  const told = { ...run, traits };
  const informed = { ...delivered, run: told, message: withPolicy(message, told) };
  return { ...decide(informed, heard, terms), traits, ...identified };
}

function decide(delivered: Delivered, heard: Answer | Unanswered, terms: Terms): Settlement {
  const { message } = delivered;
  const { now } = terms;
  const answered = heard.kind === "answered" && isSuccess(heard.reply);
  if (answered && heard.speaker !== "intermediary") return succeed(delivered, heard, terms);
  const reply = heard.kind === "answered" ? heard.reply : undefined;
  const failure: Failure = { at: now, error: reasonOf(delivered, heard), reply, byEngine: answered };
  const final = heard.kind === "answered" ? heard.nonRetryable : heard.final;
  if (final || message.retried >= retriesOf(delivered, heard, terms)) {
    // Whatever a third party does is a result of the run's, and no failure of it.
    return message.purpose === "call"
      ? { kind: "called", end: { at: now, reply, failure } }
      : { kind: "failed", failure };
  }
  const wait = retryWait(message.retryDelay, message.retried, reply?.headers, now);
  return { kind: "retry", dueAt: now + wait, failure, unheard: isUnheard(heard) };
}

function reasonOf({ message }: Delivered, heard: Answer | Unanswered): string {
  if (heard.kind !== "answered") return heard.error;
  const { status } = heard.reply;
  if (message.purpose === "call") return `the third party answered ${status}`;
  return heard.speaker === "intermediary" && isSuccess(heard.reply)
    ? `the answer (status ${status}) isn't the workflow's: it lacks the header ${HEADER.sdkVersion}, which this endpoint sends. A proxy, a login page or a CDN in front of the endpoint may have given it`
    : `the endpoint answered ${status}`;
}

function succeed(delivered: Delivered, answer: Answer, { now: at }: Terms): Settlement {
  const { message, run, first } = delivered;
  const { reply, speaker } = answer;
  if (message.purpose === "call") return { kind: "called", end: { at, reply, failure: undefined } };
  const failed = (error: string): Failure => ({ at, error, reply, byEngine: true });
  if (isAfterwards(message.purpose) && answer.rolledBack) {
    const said = rollbackIn(delivered, reply);
    return typeof said === "string"
      ? { kind: "failed", failure: failed(said) }
      : { kind: "rolledBack", record: said };
  }
  if (message.purpose === "step" && first) {
    if (run && hasFeature(run.config, "WF_DetectTrigger") && speaker !== "workflow")
      return { kind: "failed", failure: failed(NOT_A_WORKFLOW) };
    // Had it been configured in the meantime, this delivery would have been withdrawn.
    if (run?.announced) return { kind: "failed", failure: failed(NEVER_CONFIGURED) };
  }
  const stalled = failed(
    `the run has stalled: the endpoint answered ${reply.status}, but neither submitted a step nor ended the run, and nothing of it is pending`,
  );
  return { kind: "delivered", reply, stalled };
}

/** The rollback that an answer tells of; a string says why there is none to record. */
function rollbackIn({ entries, ended }: Delivered, reply: Reply): RollbackRecord | string {
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
function retriesOf({ message }: Delivered, heard: Answer | Unanswered, { mostRetries }: Terms): number {
  const asked = heard.kind === "answered" ? heard.retries : undefined;
  if (asked !== undefined) return Math.min(asked, mostRetries);
  return isOwedRetries(message, heard) ? Math.max(message.maxRetries, DEFAULT_RETRIES) : message.maxRetries;
}

/** Whether an attempt is to be made again at least three times, whatever its sender has said. */
function isOwedRetries({ purpose }: Message, heard: Answer | Unanswered): boolean {
  // What killed the endpoint in a step may keep it away a moment longer: that must not cost it the report of its end.
  if (isAfterwards(purpose)) return isUnheard(heard);
  // A page below 500 came instead of the workflow, so no step has begun. Behind a 5xx one may have: `retries` counts.
  return heard.kind === "answered" && heard.speaker === "intermediary" && heard.reply.status < 500;
}

function isSuccess(reply: Reply): boolean {
  return reply.status >= 200 && reply.status < 300;
}
