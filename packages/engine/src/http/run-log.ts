import { HEADER, type HistoryEntry, isPlan, resultId, type StepRecord } from "@perdure/core/protocol";
import { firstValue, toHeaderMap, toShown } from "../domain/header.ts";
import { DEFAULT_RETRIES, type Failure, type MessageState } from "../domain/message.ts";
import { isLive, type Run } from "../domain/run.ts";
import type { DeadLetter, PendingMessage, RecordedEntry, RunLog } from "../store/store.ts";
import { hash, labelsView, redactHeaders } from "./views.ts";

type StepState = "STEP_PROGRESS" | "STEP_SUCCESS" | "STEP_RETRY" | "STEP_FAILED" | "STEP_CANCELED";

interface Group {
  readonly type: "sequential" | "parallel" | "next";
  readonly steps: object[];
}

/** A step of a parallel group: first a plan, then a result. */
interface Branch {
  readonly record: StepRecord;
  readonly entry: RecordedEntry;
}

/** A run as the logs show it: what is done in groups, then what is next. */
export function runView(log: RunLog): object {
  const { run, failure } = log;
  return {
    workflowRunId: run.id,
    workflowUrl: run.url,
    workflowState: run.state,
    workflowRunCreatedAt: run.createdAt,
    ...(run.completedAt === undefined ? {} : { workflowRunCompletedAt: run.completedAt }),
    workflowRunCallerIp: run.callerIp,
    steps: groupsOf(log),
    ...(run.response === undefined ? {} : { workflowRunResponse: shownBody(run.response, run) }),
    ...(failure ? { dlqId: failure.dlqId, ...failureFunctionView(failure) } : {}),
    ...labelsView(run.config.labels),
  };
}

function groupsOf(log: RunLog): Group[] {
  const [first, ...entries] = log.entries;
  if (!first) return [];
  const groups: Group[] = [{ type: "sequential", steps: [initView(first, log.run)] }];
  const pending = new Map(log.messages.map((message) => [message.message.id, message]));
  let branches: Map<number, Branch> | undefined;
  const close = (): void => {
    if (branches) groups.push({ type: "parallel", steps: [...branches.values()].map(toView) });
    branches = undefined;
  };
  const toView = (branch: Branch): object => branchView(branch, log.run, pending);
  for (const entry of entries) {
    const record = JSON.parse(decode(entry)) as StepRecord;
    if (record.concurrent === 1) {
      close();
      groups.push({ type: "sequential", steps: [toView({ record, entry })] });
      continue;
    }
    const id = resultId(record);
    if (branches && !branches.has(id) && branches.size >= record.concurrent) close();
    branches ??= new Map();
    const plan = branches.get(id)?.entry.messageId;
    // With its result recorded, what is left of the plan's delivery tells nothing, unless it failed.
    if (plan !== undefined && pending.get(plan)?.message.state !== "FAILED") pending.delete(plan);
    branches.set(id, { record, entry });
  }
  close();
  const next = nextOf(log.run, pending);
  return next.length > 0 ? [...groups, { type: "next", steps: next }] : groups;
}

function initView(entry: RecordedEntry, run: Run): object {
  return {
    stepName: "init",
    stepType: "Initial",
    ...commonView(entry, run),
    concurrent: 1,
    out: shownBody(decode(entry), run),
    state: "STEP_SUCCESS",
  };
}

/** A plan is shown with the state of its delivery, a result as done. What is shown here isn't next. */
function branchView({ record, entry }: Branch, run: Run, pending: Map<string, PendingMessage>): object {
  const plan = isPlan(record);
  const message = plan ? pending.get(entry.messageId) : undefined;
  if (plan) pending.delete(entry.messageId);
  const state = plan ? planState(message, run) : "STEP_SUCCESS";
  return {
    stepId: resultId(record),
    stepName: record.stepName,
    stepType: record.stepType,
    ...commonView(entry, run),
    concurrent: record.concurrent,
    ...(record.out === undefined ? {} : { out: shownBody(record.out, run) }),
    ...(record.sleepFor === undefined ? {} : { sleepFor: record.sleepFor }),
    ...(record.sleepUntil === undefined ? {} : { sleepUntil: record.sleepUntil }),
    state,
    ...(message ? errorsView(message.failures) : {}),
  };
}

function commonView(entry: RecordedEntry, run: Run): object {
  return {
    callType: entry.callType,
    messageId: entry.messageId,
    ...policyView(run),
    createdAt: entry.createdAt,
    headers: redactHeaders(toHeaderMap(run.config.forward), run.config.redact),
  };
}

function policyView({ config }: Run): object {
  return {
    retries: config.retries ?? DEFAULT_RETRIES,
    ...(config.retryDelay === undefined ? {} : { retryDelay: config.retryDelay }),
  };
}

function planState(message: PendingMessage | undefined, run: Run): StepState {
  if (message) return stepState(message.message.state);
  return isLive(run) ? "STEP_PROGRESS" : "STEP_CANCELED";
}

function nextOf(run: Run, pending: Map<string, PendingMessage>): object[] {
  if (run.state === "RUN_SUCCESS") return [];
  return [...pending.values()].map(({ message, failures }) => {
    const stepName = failedStep(failures);
    return {
      messageId: message.id,
      ...(stepName === undefined ? {} : { stepName }),
      state: stepState(message.state),
      retries: message.maxRetries,
      ...(message.retryDelay === undefined ? {} : { retryDelay: message.retryDelay }),
      ...nextDelivery(message),
      ...errorsView(failures),
    };
  });
}

/** The name of the step that failed last, where the endpoint gave it. */
function failedStep(failures: readonly Failure[]): string | undefined {
  const headers = failures.at(-1)?.reply?.headers;
  return headers && firstValue(headers, HEADER.errorStepName);
}

function nextDelivery({ state, dueAt }: PendingMessage["message"]): object {
  // Under way, the time is that of the lease.
  return dueAt === undefined || state === "ACTIVE" ? {} : { nextDeliveryTime: dueAt };
}

function failureFunctionView({ dlqId, failure, callback }: DeadLetter): object {
  if (!callback || callback.state === "NONE") return {};
  const { message, state, reply, failures } = callback;
  return {
    failureFunction: {
      messageId: message.id,
      url: message.url,
      state,
      failHeaders: toShown(failure.reply?.headers ?? {}),
      failStatus: failure.reply?.status ?? 0,
      failResponse: failure.reply && !failure.byEngine ? text(failure.reply.body) : failure.error,
      dlqId,
      ...errorsView(failures),
      ...(reply
        ? {
            responseBody: text(reply.body),
            responseHeaders: toShown(reply.headers),
            responseStatus: reply.status,
          }
        : {}),
      maxRetries: message.maxRetries,
      ...nextDelivery(message),
    },
  };
}

function errorsView(failures: readonly Failure[]): object {
  if (failures.length === 0) return {};
  return {
    errors: failures.map(({ at, error, reply }) => ({
      error,
      body: reply ? text(reply.body) : "",
      headers: toShown(reply?.headers ?? {}),
      status: reply?.status ?? 0,
      time: at,
    })),
  };
}

function stepState(state: MessageState): StepState {
  switch (state) {
    case "CREATED":
    case "ACTIVE":
      return "STEP_PROGRESS";
    case "RETRY":
      return "STEP_RETRY";
    case "DELIVERED":
      return "STEP_SUCCESS";
    case "FAILED":
      return "STEP_FAILED";
    case "CANCELLED":
      return "STEP_CANCELED";
  }
}

function shownBody(body: string, run: Run): string {
  return run.config.redact?.body && body !== "" ? hash(body) : body;
}

function decode({ body }: HistoryEntry): string {
  return Buffer.from(body, "base64").toString();
}

function text(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}
