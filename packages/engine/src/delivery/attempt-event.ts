import type { Answer, Unanswered } from "../rules/answer.ts";
import { calledStep } from "../rules/call.ts";
import type { AttemptInfo, DeliveryInfo, EndedHold, EndedSleep, EngineEvent } from "../rules/event.ts";
import type { HeaderList } from "../rules/header.ts";
import { type Failure, isPostRun, type Reply } from "../rules/message.ts";
import { recordOf } from "../rules/record.ts";
import type { Settlement } from "../rules/settlement.ts";
import { isSleep } from "../rules/step-kinds.ts";
import type { Claim, DeliveredStep, Settled } from "../store/claims.ts";

/** An attempt whose result the store has recorded. */
export interface SettledAttempt {
  readonly claim: Claim;
  readonly result: Answer | Unanswered;
  readonly settlement: Settlement;
  readonly settled: Settled;
  /** Duration of the attempt, in milliseconds. */
  readonly ms: number;
  /** The end of the attempt, in milliseconds since 1970. */
  readonly now: number;
}

const EXCERPT = 500;

/** Returns the event of an attempt; undefined for a withdrawn message. */
export function toAttemptEvent({
  claim,
  result,
  settlement,
  settled,
  ms,
  now,
}: SettledAttempt): EngineEvent | undefined {
  if (settled.kind === "stale") return undefined;
  const answer = result.kind === "answered" ? result : undefined;
  const info = toInfo(claim, answer?.reply, ms);
  const failedStep = answer?.failedStep;
  if (settled.kind === "failed") {
    if (isPostRun(claim.message.kind)) {
      return { type: "failure.reported", outcome: "failed", response: why(settled.failure), ...info };
    }
    return {
      type: "failed",
      ...(claim.run ? { runMs: now - claim.run.createdAt } : {}),
      error: why(settled.failure),
      dlqId: settled.dlqId ?? "",
      failedStep,
      ...info,
    };
  }
  if (settled.kind === "retrying") {
    const { failure, dueAt, attempt } = settled;
    return { type: "retrying", error: why(failure), wait: dueAt - failure.at, failedStep, ...info, attempt };
  }
  if (settlement.kind === "rolledBack") return { type: "rolledBack", record: settlement.record, ...info };
  if (isPostRun(claim.message.kind) && answer) {
    const outcome = answer.unhandled ? "unhandled" : "handled";
    return { type: "failure.reported", outcome, response: excerpt(answer.reply), ...info };
  }
  if (settlement.kind === "called") return { type: "called", waitingSince: claim.message.createdAt, ...info };
  return { type: "delivered", ...info };
}

/** Returns the event of an attempt that begins. @param began milliseconds since 1970 */
export function toDeliveringEvent(claim: Claim, began: number): EngineEvent {
  const { retried, notBefore, createdAt } = claim.message;
  const lag = retried === 0 ? Math.max(0, began - Math.max(notBefore, createdAt)) : undefined;
  return {
    type: "delivering",
    lag,
    slept: endedSleep(claim),
    held: endedHold(claim, began),
    ...describeClaim(claim),
  };
}

/**
 * The sleep that a delivery ends. In a run with one step in each delivery, the record of a sleep, or its plan, is delivered
 * when the sleep is over; a run that starts later has its first delivery then.
 */
function endedSleep({ message, run, first, entries, dueAt }: Claim): EndedSleep | undefined {
  const { retried, notBefore, createdAt: since } = message;
  if (!run || run.inline || message.kind !== "step" || retried > 0 || notBefore <= since) return undefined;
  // A sleep that was ended early is due before its time.
  const times = { since, until: Math.max(since, Math.min(notBefore, dueAt ?? notBefore)) };
  if (first) return times;
  const entry = entries.at(-1);
  // A claim leaves out large bodies, and a sleep's record is small.
  if (entry?.callType !== "step" || entry.body === "") return undefined;
  const record = recordOf(entry);
  return isSleep(record) ? { stepType: record.stepType, ...times } : undefined;
}

function endedHold({ lease, dueAt, holdable }: Claim, began: number): EndedHold | undefined {
  if (!holdable || dueAt === undefined || dueAt >= began) return undefined;
  return { queue: lease.queue ?? undefined, flowKey: lease.flowKey ?? undefined, since: dueAt };
}

/** Describes the delivery for events. */
export function describeClaim({ message, run, step: delivered }: Claim): DeliveryInfo {
  const step = message.kind === "step" ? (delivered ?? PAYLOAD) : undefined;
  return {
    messageId: message.id,
    kind: message.kind,
    url: message.url,
    runId: run?.id,
    step: step?.name ?? calledStep(stepHeaders(message))?.name,
    planned: step?.planned ?? false,
    attempt: message.retried + 1,
  };
}

/** The name that events give to the run's payload. */
const PAYLOAD: DeliveredStep = { name: "init", planned: false };

/** The headers of a call, or of the answer to a call, that name its step. */
function stepHeaders({ kind, callback, forward }: Claim["message"]): HeaderList | undefined {
  return kind === "answer" ? forward : callback?.options?.forward;
}

function toInfo(claim: Claim, reply: Reply | undefined, ms: number): AttemptInfo {
  return { ...describeClaim(claim), status: reply?.status ?? 0, ms };
}

/** The message of the error in the endpoint's answer, or else a description of the failure. */
function why({ error, reply, byEngine }: Failure): string {
  if (!reply || byEngine) return error;
  let body: unknown;
  try {
    body = JSON.parse(text(reply));
  } catch {
    body = undefined; // The answer isn't from a workflow: only the status describes the failure.
  }
  const message = (body as { message?: unknown } | null | undefined)?.message;
  return typeof message === "string" && message !== "" ? message : error;
}

function excerpt(reply: Reply): string {
  const body = text(reply);
  return body.length > EXCERPT ? `${body.slice(0, EXCERPT)}…` : body;
}

function text({ body }: Reply): string {
  return new TextDecoder().decode(body);
}
