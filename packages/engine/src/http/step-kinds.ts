import { keyOf, type StepRecord, type StepType, stepOfKey, textFromBase64 } from "@perdure/core/protocol";
import { toText } from "../rules/bytes.ts";
import { type CalledStep, calledStep } from "../rules/call.ts";
import { toHeaderMap } from "../rules/header.ts";
import type { Message } from "../rules/message.ts";
import { isLive } from "../rules/run.ts";
import { CALL, fieldsOf, kindOf } from "../rules/step-kinds.ts";
import type { Child, LoggedSleep, LoggedWait, PendingMessage, RunLog } from "../store/lists.ts";
import type { KindView, StepState } from "./run-schemas.ts";
import { redactHeaders } from "./serializers.ts";
import { shownBody, stepState } from "./step-state.ts";

/** A step that the engine itself carries out: a call, a wait, or an invoked run. */
export interface InProgressStep {
  readonly id: number;
  readonly messageId: string;
  readonly stepName: string;
  readonly stepType: StepType;
  readonly state: StepState;
  /** The message with the step's attempts; `undefined` for a step without deliveries of its own. */
  readonly pending: PendingMessage | undefined;
}

/** Returns the fields of a step that depend on its kind. */
export function kindFields(log: RunLog, id: number, record: StepRecord | undefined): KindView {
  const key = keyOf("result", id);
  const call = callOf(log, id);
  const wait = log.waits.get(key);
  const child = log.children.get(key);
  return {
    ...(call ? callFields(log, call.message, call.body) : {}),
    ...(record && kindOf(record.stepType).pendingIn === "call" ? answerFields(log, record) : {}),
    ...(wait ? waitFields(wait) : {}),
    ...(child ? childFields(child) : {}),
    ...(record ? fieldsOf(record) : {}),
  };
}

/** When the engine's part of a step began: a sleep, a wait, a call or an invoked run; undefined for any other step. */
export function waitingSince(log: RunLog, id: number): number | undefined {
  const key = keyOf("result", id);
  const wait = log.waits.get(key) ?? log.sleeps.get(key) ?? log.children.get(key)?.run;
  return wait?.createdAt ?? callOf(log, id)?.message.createdAt;
}

/** The steps without a result that the engine carries out or has carried out, by the ids of their results. */
export function inProgressSteps(log: RunLog): Map<number, InProgressStep> {
  const all = [
    ...log.messages.flatMap((pending) => ofMessage(pending)),
    ...[...log.waits.values()].map((wait) => ofWait(wait)),
    ...[...log.sleeps].map(([key, sleep]) => ofSleep(log, key, sleep)),
    ...[...log.children.values()].flatMap((child) => ofChild(child)),
  ];
  return new Map(all.filter(({ id }) => !log.entries.has(keyOf("result", id))).map((one) => [one.id, one]));
}

function ofMessage(pending: PendingMessage): InProgressStep[] {
  const { message } = pending;
  const step = stepOf(message);
  if (!step) return [];
  const { id, name: stepName } = step;
  return [{ id, messageId: message.id, stepName, stepType: CALL, state: stepState(message.state), pending }];
}

/** The step of a call, or of an answer to a call. */
function stepOf({ kind, callback, forward }: Message): CalledStep | undefined {
  if (kind === "call") return calledStep(callback?.options?.forward);
  return kind === "answer" ? calledStep(forward) : undefined;
}

function ofWait({ wait, open }: LoggedWait): InProgressStep {
  const { stepId: id, stepName, stepType } = wait.step;
  const state = open ? "STEP_PROGRESS" : "STEP_CANCELED";
  return { id, messageId: wait.message.id, stepName, stepType, state, pending: undefined };
}

function ofSleep({ entries }: RunLog, key: string, { sleep, open }: LoggedSleep): InProgressStep {
  const { stepId: id, stepName, stepType } = sleep.step;
  const plan = entries.get(keyOf("plan", stepOfKey(key)));
  const state = open ? "STEP_PROGRESS" : "STEP_CANCELED";
  return { id, messageId: plan?.messageId ?? "", stepName, stepType, state, pending: undefined };
}

function ofChild({ run }: Child): InProgressStep[] {
  if (!run.invoker) return [];
  const { step, message } = run.invoker;
  const { stepId: id, stepName, stepType } = step;
  // The invoking run may have ended before this run.
  const state = isLive(run) ? "STEP_PROGRESS" : "STEP_SUCCESS";
  return [{ id, messageId: message.id, stepName, stepType, state, pending: undefined }];
}

function callOf(log: RunLog, id: number): { message: Message; body: string } | undefined {
  const entry = log.entries.get(keyOf("call", id));
  const inline = entry ?? log.entries.get(keyOf("plan", id));
  const message = inline && log.calls.get(inline.messageId);
  if (!message) return undefined;
  const body = entry ? textFromBase64(entry.body) : toText(message.body ?? new Uint8Array());
  return { message, body };
}

function callFields({ run }: RunLog, { url, method, forward }: Message, body: string): KindView {
  return {
    callUrl: url,
    callMethod: method,
    callHeaders: redactHeaders(toHeaderMap(forward), run.config.redact),
    ...(body === "" ? {} : { callBody: shownBody(body, run) }),
  };
}

function answerFields({ run }: RunLog, { out }: StepRecord): KindView {
  let answer: { status?: unknown; body?: unknown; header?: unknown };
  try {
    answer = JSON.parse(out ?? "{}");
  } catch {
    return {}; // Not written by an endpoint that we know: its text is shown as it is.
  }
  const { status, body, header } = answer ?? {};
  return {
    ...(typeof status === "number" ? { callResponseStatus: status } : {}),
    ...(typeof body === "string" ? { callResponseBody: shownBody(toBodyText(body), run) } : {}),
    ...(typeof header === "object" && header !== null
      ? { callResponseHeaders: redactHeaders(header as Record<string, string[]>, run.config.redact) }
      : {}),
  };
}

/** The record of an answer has one character for each byte of its body. */
function toBodyText(body: string): string {
  const bytes = Buffer.from(body, "latin1");
  try {
    return bytes.toString("latin1") === body ? new TextDecoder("utf-8", { fatal: true }).decode(bytes) : body;
  } catch {
    return body; // Not UTF-8.
  }
}

function waitFields({ wait }: LoggedWait): KindView {
  return {
    waitEventId: wait.eventId,
    waitTimeoutDuration: wait.timeout,
    waitTimeoutDeadline: wait.deadline,
  };
}

function childFields({ run, payload }: Child): KindView {
  return {
    invokedWorkflowRunId: run.id,
    invokedWorkflowUrl: run.url,
    invokedWorkflowCreatedAt: run.createdAt,
    ...(payload.length === 0 ? {} : { invokedWorkflowRunBody: shownBody(toText(payload), run) }),
    invokedWorkflowRunHeaders: redactHeaders(toHeaderMap(run.config.forward), run.config.redact),
  };
}
