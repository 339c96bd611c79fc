import {
  HEADER,
  NON_RETRYABLE_STATUS,
  type RollbackAnswer,
  type RollbackRecord,
  readRollback,
} from "@perdure/core/protocol";
import { toText } from "./bytes.ts";
import type { CallEnd } from "./call.ts";
import { firstValue } from "./header.ts";
import { DEFAULT_RETRIES, type Failure, isAfterwards, type Message, type Reply } from "./message.ts";
import { traitsIn, withPolicy } from "./policy.ts";
import { retryWait } from "./retry.ts";
import { hasFeature, type Run } from "./run.ts";

/** What an attempt to deliver came to. */
export type Attempt =
  | { readonly kind: "answered"; readonly reply: Reply }
  /** No answer in time, or none at all: `error` says why in one line, and `final` that there will never be one. */
  | { readonly kind: "unanswered"; readonly error: string; readonly final?: boolean };

/** What is to be recorded of an attempt. */
export type Settlement = {
  /** What the endpoint wants, where it says so for the first time, or anew. */
  readonly traits?: string | undefined;
} & (
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
  | { readonly kind: "retry"; readonly dueAt: number; readonly failure: Failure }
  | { readonly kind: "failed"; readonly failure: Failure }
);

/** A message that is being delivered, with what it takes to judge the answer. */
export interface Delivered {
  readonly message: Message;
  readonly run: Run | undefined;
  /** It carries the run's payload and nothing else yet. */
  readonly first: boolean;
  /** For what comes after a run's end: how far its steps are rolled back. */
  readonly ended?: Ended | undefined;
}

export interface Ended {
  readonly rollbacks: readonly RollbackRecord[];
  /** Planned steps whose delivery was begun. */
  readonly started: readonly number[];
  /** The step after those on record may have been begun. */
  readonly begun: boolean;
}

const RECORDED: RollbackAnswer = "recorded";

const NOT_A_WORKFLOW =
  "detected a non-workflow destination for trigger/invoke. make sure you are sending the request to the correct endpoint";
const NEVER_CONFIGURED = "trigger rest api is only usable with sdk versions after v1.0.0 major version";

/**
 * The rules of success, retry and failure. What the endpoint's answer says of its runs holds for this attempt, too.
 *
 * @param now in milliseconds since 1970
 * @param mostRetries that an endpoint may ask for
 */
export function judge(delivered: Delivered, attempt: Attempt, now: number, mostRetries: number): Settlement {
  const { run, message } = delivered;
  if (!run || attempt.kind !== "answered" || !isForEndpoint(message, run))
    return decide(delivered, attempt, now);
  const traits = traitsIn(attempt.reply, mostRetries);
  if (traits === undefined || traits === run.traits) return decide(delivered, attempt, now);
  const told = { ...run, traits };
  return { ...decide({ ...delivered, run: told, message: withPolicy(message, told) }, attempt, now), traits };
}

/** False for calls to third parties, and for reports of a failure that go elsewhere. */
function isForEndpoint({ purpose, url }: Message, run: Run): boolean {
  return purpose !== "call" && (purpose !== "failure" || url === run.url);
}

function decide(delivered: Delivered, attempt: Attempt, now: number): Settlement {
  const { message } = delivered;
  if (attempt.kind === "answered" && isSuccess(attempt.reply)) return succeed(delivered, attempt.reply, now);
  const reply = attempt.kind === "answered" ? attempt.reply : undefined;
  const who = message.purpose === "call" ? "the third party" : "the endpoint";
  const error = attempt.kind === "answered" ? `${who} answered ${attempt.reply.status}` : attempt.error;
  const failure: Failure = { at: now, error, reply, byEngine: false };
  const final = attempt.kind === "answered" ? isFinal(attempt.reply) : attempt.final;
  if (final || message.retried >= mostRetries(delivered, reply)) {
    // Whatever a third party does is a result of the run's, and no failure of it.
    return message.purpose === "call"
      ? { kind: "called", end: { at: now, reply, failure } }
      : { kind: "failed", failure };
  }
  const wait = retryWait(message.retryDelay, message.retried, reply?.headers, now);
  return { kind: "retry", dueAt: now + wait, failure };
}

function succeed({ message, run, first, ended }: Delivered, reply: Reply, now: number): Settlement {
  if (message.purpose === "call") return { kind: "called", end: { at: now, reply, failure: undefined } };
  const failed = (error: string): Failure => ({ at: now, error, reply, byEngine: true });
  if (isAfterwards(message.purpose) && firstValue(reply.headers, HEADER.rollback) === RECORDED) {
    const record = readRollback(toText(reply.body));
    if (!record)
      return { kind: "failed", failure: failed("the endpoint says that it made a rollback, and not which") };
    // It would go on like this for ever.
    if (ended?.rollbacks.some(({ stepId }) => stepId === record.stepId))
      return {
        kind: "failed",
        failure: failed(
          `the endpoint says that it rolled step ${record.stepId} back, which it was told was over`,
        ),
      };
    return { kind: "rolledBack", record };
  }
  if (message.purpose === "step" && first) {
    const named = firstValue(reply.headers, HEADER.sdkVersion) !== undefined;
    if (run && hasFeature(run.config, "WF_DetectTrigger") && !named) {
      return { kind: "failed", failure: failed(NOT_A_WORKFLOW) };
    }
    // Had it been configured in the meantime, this delivery would have been withdrawn.
    if (run?.announced) return { kind: "failed", failure: failed(NEVER_CONFIGURED) };
  }
  const stalled = failed(
    `the run has stalled: the endpoint answered ${reply.status}, but neither submitted a step nor ended the run, and nothing of it is pending`,
  );
  return { kind: "delivered", reply, stalled };
}

/** A step, or a rollback, may have retries of its own, more or fewer than the delivery that carries it out. */
function mostRetries({ message, run }: Delivered, reply: Reply | undefined): number {
  const asked = reply && run && firstValue(reply.headers, HEADER.maxRetries);
  if (asked !== undefined && /^\d{1,4}$/.test(asked)) return Number(asked);
  // What killed the endpoint in a step may keep it away a moment longer: that is not to cost it the report of its end.
  const unheard = isAfterwards(message.purpose) && isUnheard(reply);
  return unheard ? Math.max(message.maxRetries, DEFAULT_RETRIES) : message.maxRetries;
}

/** Nobody answers, or a proxy does. */
function isUnheard(reply: Reply | undefined): boolean {
  if (!reply) return true;
  return [502, 503, 504].includes(reply.status) && firstValue(reply.headers, HEADER.sdkVersion) === undefined;
}

function isSuccess(reply: Reply): boolean {
  return reply.status >= 200 && reply.status < 300;
}

/** The endpoint says that another attempt would not help. */
function isFinal(reply: Reply): boolean {
  // 489 by the protocol. Our runtime also says so of requests that it can't read (400) or that are too large (413).
  const final = [NON_RETRYABLE_STATUS, 400, 413].includes(reply.status);
  return final && firstValue(reply.headers, HEADER.nonRetryable)?.toLowerCase() === "true";
}

/** The endpoint has no failure function: its 2xx handled nothing. */
export function isUnhandled(reply: Pick<Reply, "headers">): boolean {
  return firstValue(reply.headers, HEADER.noFailureFunction)?.toLowerCase() === "true";
}
