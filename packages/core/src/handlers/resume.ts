import { type StepHost, WorkflowContext } from "../context.ts";
import { emitAll, type MiddlewareEvents } from "../middleware.ts";
import type { Resume } from "../protocol/delivery.ts";
import { readHistory } from "../protocol/history.ts";
import { stepMessage } from "../protocol/message.ts";
import { done, type Outcome } from "../protocol/outcome.ts";
import { isPlan, type StepRecord, stepOf } from "../protocol/step.ts";
import { failurePlace, type NewEntry, type ReplayResult } from "../replay/invocation.ts";
import { replay } from "../replay/run.ts";
import { readStepHistory } from "../replay/step-history.ts";
import { toStepError } from "../replay/step-matcher.ts";
import { readResult, type StepPlacement, serialize } from "../steps/index.ts";
import { WorkflowError } from "../util/errors.ts";
import { warnOnce } from "../util/warn-once.ts";
import { attemptInfo, type DeliveryContext, loadHistory, runRef, toRunContext } from "./delivery-context.ts";

type Work = Extract<NewEntry, { kind: "work" }>;
type FailurePlace = ReturnType<typeof failurePlace>;

/** Continues a run where its history ends: replays the recorded steps and carries out the next one. */
export async function resume(ctx: DeliveryContext<Resume>): Promise<Outcome> {
  const { endpoint, config, delivery } = ctx;
  const { runId } = delivery;
  // Throws for settings that can't reach the engine: nothing of the user's has run yet.
  config.engine();
  const entries = await loadHistory(ctx, runId);
  if (!entries) return done(runId, "workflow-already-ended");
  const { payload, records, duplicate } = readHistory(entries);
  if (duplicate) return done(runId, "duplicate-step");
  const history = readStepHistory(records);
  const waits = history.phase.kind === "wait";
  if (waits && endpoint.middlewares.length === 0) return done(runId, "success");
  let parsed: unknown;
  try {
    parsed = await endpoint.parsePayload(payload);
  } catch (error) {
    return { kind: "failed", error, where: "payload" };
  }
  const runContext = toRunContext(ctx, parsed);
  let context = new WorkflowContext(runContext, inertHost);
  if (endpoint.middlewares.length > 0) await emitDelivered(ctx, context, records);
  if (waits) return done(runId, "success");
  const replayed = await replay({
    history,
    runId,
    attempt: attemptInfo(ctx),
    withStack: ctx.authenticated,
    onExhausted: endpoint.onExhausted,
    engine: config.engine,
    start: (host) => {
      context = new WorkflowContext(runContext, host);
      return endpoint.workflow(context);
    },
    append: (appended) => append(ctx, appended),
    beforeStep: ({ name, options }) => {
      if (options?.rollback && !delivery.ownEngine) warnOnce(NO_ROLLBACKS);
      return emit(ctx, "beforeExecution", { context, stepName: name });
    },
  });
  return conclude(ctx, context, replayed, failurePlace(history));
}

const NO_ROLLBACKS = "[perdure] This engine makes no rollbacks. Undo the steps in the failure function.";

/** For a context that middlewares only read. */
const inertHost: StepHost = { request: () => new Promise(() => {}), cancel: () => new Promise(() => {}) };

async function append(
  ctx: DeliveryContext<Resume>,
  entries: readonly NewEntry[],
): Promise<"recorded" | "over"> {
  const run = runRef(ctx);
  const engine = ctx.config.engine();
  const messages = [];
  for (const entry of entries) {
    if (entry.kind === "record") {
      messages.push(stepMessage(run, entry.record, entry.schedule));
      continue;
    }
    const { message, wait } = entry.toEngineRequest(placementOf(ctx, entry));
    if (message) messages.push(message);
    else if (!(await engine.wait(run.runId, wait))) return "over";
  }
  const names = entries.map((entry) => `"${entry.kind === "record" ? entry.record.stepName : entry.name}"`);
  const subject = `${subjectOf(entries)} ${names.join(", ")}`;
  if (messages.length > 0 && !(await engine.append(run.runId, messages, subject))) return "over";
  await emit(ctx, "onInfo", {
    workflowRunId: run.runId,
    info: `The engine has taken ${names.join(", ")}.`,
  });
  return "recorded";
}

/** Describes the entries for an error's message, before the names of the steps. */
function subjectOf([first, ...others]: readonly NewEntry[]): string {
  if (others.length > 0) return "the plan of steps";
  if (first?.kind === "work") return "the request of step";
  return first?.record.out === undefined ? "step" : "the result of step";
}

function placementOf(ctx: DeliveryContext<Resume>, { id, name, concurrent, rollback }: Work): StepPlacement {
  const run = runRef(ctx);
  return {
    ...run,
    id,
    concurrent,
    rollback,
    createdAt: ctx.delivery.createdAt,
    forwarded: ctx.config.engine().headersFor(run.url),
    urlOf: (workflow) => {
      const { siblings } = ctx.endpoint;
      const segment = siblings.get(workflow);
      if (segment !== undefined) return siblingUrl(run.url, segment);
      const requested = Object(workflow).name || "(unnamed)";
      const keys = [...siblings.values()].join(", ") || "none";
      const message = `Step "${name}" of ${run.url} starts the workflow ${requested}, which its serveMany doesn't serve (it serves: ${keys}). Add it.`;
      throw new WorkflowError("unknown_workflow", message);
    },
  };
}

function siblingUrl(url: string, segment: string): string {
  const sibling = new URL(url);
  sibling.pathname = sibling.pathname.replace(/[^/]*\/?$/, encodeURIComponent(segment));
  return sibling.href;
}

async function conclude(
  ctx: DeliveryContext<Resume>,
  context: WorkflowContext,
  replayed: ReplayResult,
  where: FailurePlace,
): Promise<Outcome> {
  const { runId } = ctx.delivery;
  const engine = ctx.config.engine;
  switch (replayed.kind) {
    case "recorded":
      return done(runId, "success");
    case "over":
      await emit(ctx, "onWarning", { workflowRunId: runId, warning: "The run has ended." });
      return done(runId, "workflow-already-ended");
    case "threw":
      return { ...replayed, kind: "failed" };
    case "canceled":
      return done(runId, (await engine().cancel(runId)) ? "success" : "workflow-already-ended");
    case "returned": {
      try {
        const result = serialize(replayed.result, "The workflow's result");
        await emit(ctx, "runCompleted", { context, result: replayed.result });
        const finish = (await engine().finish(runId, result)) ? "success" : "workflow-already-ended";
        return done(runId, finish);
      } catch (error) {
        return { kind: "failed", error, where };
      }
    }
    default:
      return replayed satisfies never;
  }
}

async function emitDelivered(
  ctx: DeliveryContext<Resume>,
  context: WorkflowContext,
  records: readonly StepRecord[],
): Promise<void> {
  const last = records.at(-1);
  if (!last) await emit(ctx, "runStarted", { context });
  else if (last.failure) {
    const error = toStepError(stepOf(last), last.failure);
    await emit(ctx, "onError", { workflowRunId: context.workflowRunId, error });
  } else if (!isPlan(last))
    await emit(ctx, "afterExecution", { context, stepName: last.stepName, result: readResult(last) });
}

function emit<Event extends keyof MiddlewareEvents>(
  { endpoint }: DeliveryContext<Resume>,
  event: Event,
  details: MiddlewareEvents[Event],
): Promise<void> {
  return emitAll(endpoint.middlewares, event, details);
}
