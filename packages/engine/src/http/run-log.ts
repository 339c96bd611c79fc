import { isPlan, readFailure, resultId, type StepRecord, textFromBase64 } from "@perdure/core/protocol";
import { toText } from "../rules/bytes.ts";
import { failureText } from "../rules/fingerprint.ts";
import { toHeaderMap, toShown } from "../rules/header.ts";
import { DEFAULT_RETRIES, type Failure } from "../rules/message.ts";
import { retryPolicy } from "../rules/policy.ts";
import { recordOf } from "../rules/record.ts";
import { isLive, type Run } from "../rules/run.ts";
import { StepGroups } from "../rules/step-groups.ts";
import type {
  CallbackReport,
  CallbackState,
  DeadLetter,
  PendingMessage,
  RecordedEntry,
  RunLog,
} from "../store/lists.ts";
import type { YieldPoint } from "../store/time-slices.ts";
import type { GroupView, ReportView, RunHead, RunView, StepState, StepView } from "./run-schemas.ts";
import { labelsView, redactHeaders, rollbacksView } from "./serializers.ts";
import { StepAttempts } from "./step-attempts.ts";
import { type InProgressStep, inProgressSteps, kindFields } from "./step-kinds.ts";
import { errorsView, failedStep, failedStepType, nextDelivery, shownBody, stepState } from "./step-state.ts";

/** A step of a parallel group: first a plan, then a result. */
export interface Branch {
  readonly record: StepRecord;
  readonly entry: RecordedEntry;
}

/** The parts of a run that the log hasn't shown yet. */
export interface Rest {
  /** Failed attempts of steps that ran inline. */
  readonly attempts: StepAttempts;
  /** Deliveries, by their ids. */
  readonly pending: Map<string, PendingMessage>;
  /** The steps that the engine carries out, by the ids of their results. */
  readonly underWay: Map<number, InProgressStep>;
}

/**
 * Shows a run in the logs: first the groups of recorded steps, then the next steps.
 *
 * @param pause lets other requests run between the steps of a long run
 */
export async function runView(log: RunLog, pause: YieldPoint): Promise<RunView> {
  const { run, failure } = log;
  return {
    ...headView(run),
    workflowRunCallerIp: run.callerIp,
    steps: await groupsOf(log, pause),
    ...(run.response === undefined ? {} : { workflowRunResponse: shownBody(run.response, run) }),
    ...(run.invoker ? { invoker: invokerView(run.invoker) } : {}),
    ...(failure ? { workflowRunError: errorView(failure.failure), ...failureView(failure) } : {}),
    ...(log.cancel ? cancelView(log.cancel) : {}),
    ...rollbacksView(log.rollbacks),
    ...labelsView(run.config.labels),
    ...(run.config.flow ? { flowControlKey: run.config.flow.key } : {}),
  };
}

/** Shows the fields of a run that every list has. */
export function headView({ id, url, state, createdAt, completedAt }: Run): RunHead {
  return {
    workflowRunId: id,
    workflowUrl: url,
    workflowState: state,
    workflowRunCreatedAt: createdAt,
    ...(completedAt === undefined ? {} : { workflowRunCompletedAt: completedAt }),
  };
}

async function groupsOf(log: RunLog, pause: YieldPoint): Promise<GroupView[]> {
  const [first, ...entries] = log.entries.values();
  if (!first) return [];
  const rest = await restOf(log, pause);
  const builder = new GroupBuilder(log, rest, pause);
  const stepGroups = new StepGroups();
  for (const [at, entry] of entries.entries()) {
    await pause();
    // The log shows a call and its answer with their step.
    if (entry.callType !== "step") continue;
    const record = recordOf(entry);
    const group = stepGroups.next(record, at);
    if (record.concurrent > 1) await builder.addBranch({ record, entry });
    // The plan of a single step, which the engine carries out, or which begins at most once. The `next` group
    // shows the step until it has a result.
    else if (!isPlan(record)) await builder.addStep({ record, entry }, group);
  }
  await builder.close();
  const next = nextOf(log, rest);
  return [
    { type: "sequential", steps: [initView(first, log.run)] },
    ...builder.groups,
    ...(next.length > 0 ? [{ type: "next" as const, steps: next }] : []),
  ];
}

/** Everything that a log's recorded steps may leave. */
export async function restOf(log: RunLog, pause: YieldPoint): Promise<Rest> {
  const deliveries = log.messages.filter(({ message }) => message.kind === "step");
  return {
    attempts: await StepAttempts.read(log, pause),
    pending: new Map(deliveries.map((delivery) => [delivery.message.id, delivery])),
    underWay: inProgressSteps(log),
  };
}

/** Builds the groups of a run's recorded steps, in the order of its history. */
class GroupBuilder {
  readonly groups: GroupView[] = [];
  readonly #log: RunLog;
  readonly #rest: Rest;
  readonly #pause: YieldPoint;
  /** The steps of a group that the engine delivers one by one, by their ids. */
  #branches = new Map<number, Branch>();
  /** The steps of a group that ran inline. */
  #inline: { readonly id: number; readonly steps: StepView[] } | undefined;

  constructor(log: RunLog, rest: Rest, pause: YieldPoint) {
    this.#log = log;
    this.#rest = rest;
    this.#pause = pause;
  }

  /** Adds a step of its own, or one of a group that ran inline. */
  async addStep(branch: Branch, group: number | undefined): Promise<void> {
    await this.close();
    const view = branchView(branch, this.#log, this.#rest);
    if (this.#inline && this.#inline.id === group) {
      this.#inline.steps.push(view);
      this.groups[this.groups.length - 1] = { type: "parallel", steps: this.#inline.steps };
      return;
    }
    const steps = [view];
    this.#inline = group === undefined ? undefined : { id: group, steps };
    this.groups.push({ type: "sequential", steps });
  }

  /** Adds the plan or the result of a step of a group that the engine delivers one by one. */
  async addBranch(branch: Branch): Promise<void> {
    const { pending } = this.#rest;
    const id = resultId(branch.record);
    if (!this.#branches.has(id) && this.#branches.size >= branch.record.concurrent) await this.close();
    const plan = this.#branches.get(id)?.entry.messageId;
    // The run has the step's result, so the log leaves out the delivery of the plan, unless it failed.
    if (plan !== undefined && pending.get(plan)?.message.state !== "FAILED") pending.delete(plan);
    this.#branches.set(id, branch);
  }

  /** Ends the group of branches, if there is one. */
  async close(): Promise<void> {
    if (this.#branches.size === 0) return;
    const steps: StepView[] = [];
    for (const branch of this.#branches.values()) {
      await this.#pause();
      steps.push(branchView(branch, this.#log, this.#rest));
    }
    this.groups.push({ type: "parallel", steps });
    this.#branches = new Map();
  }
}

export function initView(entry: RecordedEntry, run: Run): StepView {
  return {
    stepName: "init",
    stepType: "Initial",
    ...commonView(entry, run),
    concurrent: 1,
    out: shownBody(textFromBase64(entry.body), run),
    state: "STEP_SUCCESS",
  };
}

/**
 * Shows a plan with the state of its delivery, and a result as done. Removes the step from `rest`, so that
 * the `next` group doesn't repeat it.
 */
export function branchView({ record, entry }: Branch, log: RunLog, rest: Rest): StepView {
  const { run } = log;
  const id = resultId(record);
  const plan = isPlan(record);
  const message = plan ? rest.pending.get(entry.messageId) : undefined;
  const busy = plan ? rest.underWay.get(id) : undefined;
  if (plan) rest.pending.delete(entry.messageId);
  rest.underWay.delete(id);
  return {
    stepId: id,
    stepName: record.stepName,
    stepType: record.stepType,
    ...commonView(entry, run),
    concurrent: record.concurrent,
    ...(record.out === undefined ? {} : { out: shownBody(record.out, run) }),
    ...kindFields(log, id, record),
    state: plan ? planState(message, busy, run) : "STEP_SUCCESS",
    ...(record.startedAt === undefined ? {} : { startedAt: Math.floor(record.startedAt) }),
    ...(record.durationMs === undefined ? {} : { durationMs: record.durationMs }),
    ...errorsView([
      ...(message?.failures ?? []),
      ...(busy?.pending?.failures ?? []),
      ...rest.attempts.of(record),
    ]),
  };
}

function commonView(
  entry: RecordedEntry,
  run: Run,
): Pick<StepView, "callType" | "messageId" | "retries" | "retryDelay" | "createdAt" | "headers"> {
  return {
    callType: entry.callType,
    messageId: entry.messageId,
    ...policyView(run),
    createdAt: entry.createdAt,
    headers: redactHeaders(toHeaderMap(run.config.forward), run.config.redact),
  };
}

function policyView(run: Run): Pick<StepView, "retries" | "retryDelay"> {
  const { retries = DEFAULT_RETRIES, retryDelay } = retryPolicy(run, "step");
  return { retries, ...(retryDelay === undefined ? {} : { retryDelay }) };
}

function planState(
  message: PendingMessage | undefined,
  busy: InProgressStep | undefined,
  run: Run,
): StepState {
  if (message) return stepState(message.message.state);
  return busy?.state ?? (isLive(run) ? "STEP_PROGRESS" : "STEP_CANCELED");
}

export function nextOf(log: RunLog, { attempts, pending, underWay }: Rest): StepView[] {
  if (log.run.state === "RUN_SUCCESS") return [];
  const busy = [...underWay.values()].map((one) => ({
    ...nextView(one.messageId, one.pending, one.stepName, log.run),
    stepId: one.id,
    stepType: one.stepType,
    ...kindFields(log, one.id, undefined),
    state: one.state,
  }));
  const deliveries = [...pending.values()].flatMap((one) => deliveryViews(one, log.run));
  const failed = new Set([...pending.values()].map((one) => failedStep(one.failures)));
  const retried = attempts
    .open(log.run)
    .filter(({ stepName }) => !failed.has(stepName))
    .map((step) => ({ ...policyView(log.run), ...step }));
  return [...deliveries, ...busy, ...retried];
}

/**
 * Shows a pending delivery, or the steps that its invocation has in progress, if the endpoint reported them.
 */
function deliveryViews(pending: PendingMessage, run: Run): StepView[] {
  const view = {
    ...nextView(pending.message.id, pending, failedStep(pending.failures), run),
    ...failedStepType(pending.failures),
  };
  const steps = run.holder === pending.message.seq ? run.inProgress?.steps : undefined;
  if (steps === undefined || steps === "unknown" || steps.length === 0) return [view];
  return steps.map(({ name, type }) => ({ ...view, stepName: name, stepType: type }));
}

function nextView(
  messageId: string,
  pending: PendingMessage | undefined,
  stepName: string | undefined,
  run: Run,
): StepView {
  const message = pending?.message;
  const retryDelay = message?.retryDelay;
  return {
    messageId,
    ...(stepName === undefined ? {} : { stepName }),
    ...(message ? { state: stepState(message.state) } : {}),
    retries: message?.maxRetries ?? retryPolicy(run, "step").retries ?? DEFAULT_RETRIES,
    ...(retryDelay === undefined ? {} : { retryDelay }),
    ...(message ? nextDelivery(message) : {}),
    ...errorsView(pending?.failures ?? []),
  };
}

export function invokerView({ runId, url, createdAt }: NonNullable<Run["invoker"]>): RunView["invoker"] {
  return { workflowRunId: runId, workflowUrl: url, workflowRunCreatedAt: createdAt };
}

/** Shows a run's failure. A dead letter that has left the queue has no `dlqId` any more. */
export function failureView({
  dlqId,
  failure,
  callback,
  removed,
}: DeadLetter): Pick<RunView, "dlqId" | "failureFunction"> {
  const id = removed ? {} : { dlqId };
  if (!callback || callback.state === "NONE") return id;
  const failed = readFailure(failureText(failure), failure.reply?.status ?? 0);
  return {
    ...id,
    failureFunction: {
      failHeaders: toShown(failure.reply?.headers ?? {}),
      failStatus: failure.reply?.status ?? 0,
      failResponse: failed.thrown?.message ?? failureText(failure),
      dlqId,
      ...reportView(callback, callback.state),
    },
  };
}

export function errorView(failure: Failure): NonNullable<RunView["workflowRunError"]> {
  const { name, message, where, step } = readFailure(failureText(failure), failure.reply?.status ?? 0);
  return {
    name,
    message,
    where,
    ...(step ? { step: { id: step.id, name: step.name, type: step.type } } : {}),
  };
}

/** Shows the report to a cancel function; nothing for an endpoint without one. */
export function cancelView(report: CallbackReport): Pick<RunView, "cancelFunction"> {
  return report.state === "NONE" ? {} : { cancelFunction: reportView(report, report.state) };
}

/** Shows the report of a run's end. */
export function reportView({ message, reply, failures }: CallbackReport, state: CallbackState): ReportView {
  return {
    messageId: message.id,
    url: message.url,
    state,
    ...errorsView(failures),
    ...(reply
      ? {
          responseBody: toText(reply.body),
          responseHeaders: toShown(reply.headers),
          responseStatus: reply.status,
        }
      : {}),
    maxRetries: message.maxRetries,
    ...nextDelivery(message),
  };
}
