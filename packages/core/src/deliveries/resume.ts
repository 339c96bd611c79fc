import { warnOnce } from "../border/settings.ts";
import { toStepError } from "../claims.ts";
import { type StepHost, WorkflowContext } from "../context.ts";
import { readLedger } from "../group.ts";
import { type Ending, type Entry, placeIn } from "../invocation.ts";
import { WorkflowError } from "../kernel/errors.ts";
import { type MiddlewareEvents, tellAll } from "../middleware.ts";
import type { Resume } from "../protocol/delivery.ts";
import { readHistory } from "../protocol/history.ts";
import { stepMessage } from "../protocol/message.ts";
import * as HEADER from "../protocol/names.ts";
import { done, type Outcome } from "../protocol/outcome.ts";
import { isPlan, type StepRecord, stepOf } from "../protocol/step.ts";
import { replay } from "../run.ts";
import { type Asking, read, serialize } from "../steps/index.ts";
import { factsOf, historyOf, placeOf, triesOf, type Visit } from "./room.ts";

type Work = Extract<Entry, { kind: "work" }>;
type Place = ReturnType<typeof placeIn>;

/** Takes a run up where its history ends: replays what is recorded and does what comes next. */
export async function resume(visit: Visit<Resume>): Promise<Outcome> {
  const { served, border, delivery } = visit;
  const { runId } = delivery;
  // Throws for settings that can't reach the engine: nothing of the user's has run yet.
  border.engine();
  const entries = await historyOf(visit, runId);
  if (!entries) return done(runId, "workflow-already-ended");
  const { payload, records, duplicate } = readHistory(entries);
  if (duplicate) return done(runId, "duplicate-step");
  const ledger = readLedger(records);
  const waits = ledger.phase.kind === "wait";
  if (waits && served.middlewares.length === 0) return done(runId, "success");
  let parsed: unknown;
  try {
    parsed = await served.parsePayload(payload);
  } catch (error) {
    return { kind: "failed", error, where: "payload" };
  }
  const facts = factsOf(visit, parsed);
  let context = new WorkflowContext(facts, NOBODY);
  if (served.middlewares.length > 0) await tellOpening(visit, context, records);
  if (waits) return done(runId, "success");
  const ending = await replay({
    ledger,
    runId,
    tries: triesOf(visit),
    trusted: visit.trusted,
    onExhausted: served.onExhausted,
    engine: border.engine,
    start: (host) => {
      context = new WorkflowContext(facts, host);
      return served.workflow(context);
    },
    append: (appended) => append(visit, appended),
    beforeStep: ({ name, options }) => {
      if (options?.rollback && !visit.mail.headers.has(HEADER.maxRetries)) warnOnce(NO_ROLLBACKS);
      return tell(visit, "beforeExecution", { context, stepName: name });
    },
  });
  return conclude(visit, context, ending, placeIn(ledger));
}

const NO_ROLLBACKS = "[perdure] This engine makes no rollbacks. Undo the steps in the failure function.";

/** For a context that is only looked at. */
const NOBODY: StepHost = { request: () => new Promise(() => {}), cancel: () => new Promise(() => {}) };

async function append(visit: Visit<Resume>, entries: readonly Entry[]): Promise<"recorded" | "over"> {
  const place = placeOf(visit);
  const engine = visit.border.engine();
  const messages = [];
  for (const entry of entries) {
    if (entry.kind === "record") {
      messages.push(stepMessage(place, entry.record, entry.schedule));
      continue;
    }
    const { message, wait } = entry.ask(askingOf(visit, entry));
    if (message) messages.push(message);
    else if (!(await engine.wait(place.runId, wait))) return "over";
  }
  const names = entries.map((entry) => `"${entry.kind === "record" ? entry.record.stepName : entry.name}"`);
  const subject = `${subjectOf(entries)} ${names.join(", ")}`;
  if (messages.length > 0 && !(await engine.append(place.runId, messages, subject))) return "over";
  await tell(visit, "onInfo", {
    workflowRunId: place.runId,
    info: `The engine has taken ${names.join(", ")}.`,
  });
  return "recorded";
}

/** What the engine is asked to take, before the names of the steps. */
function subjectOf([first, ...others]: readonly Entry[]): string {
  if (others.length > 0) return "the plan of steps";
  if (first?.kind === "work") return "the request of step";
  return first?.record.out === undefined ? "step" : "the result of step";
}

function askingOf(visit: Visit<Resume>, { id, name, concurrent, rollback }: Work): Asking {
  const place = placeOf(visit);
  return {
    ...place,
    id,
    concurrent,
    rollback,
    createdAt: visit.delivery.createdAt,
    forwarded: visit.border.engine().headersFor(place.url),
    urlOf: (workflow) => {
      const { siblings } = visit.served;
      const segment = siblings.get(workflow);
      if (segment !== undefined) return siblingUrl(place.url, segment);
      const asked = Object(workflow).name || "(unnamed)";
      const served = [...siblings.values()].join(", ") || "none";
      const message = `Step "${name}" of ${place.url} starts the workflow ${asked}, which isn't served beside it (served are: ${served}). Pass both to one serveMany.`;
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
  visit: Visit<Resume>,
  context: WorkflowContext,
  ending: Ending,
  where: Place,
): Promise<Outcome> {
  const { runId } = visit.delivery;
  const engine = visit.border.engine;
  switch (ending.kind) {
    case "recorded":
      return done(runId, "success");
    case "over":
      await tell(visit, "onWarning", { workflowRunId: runId, warning: "The run has ended." });
      return done(runId, "workflow-already-ended");
    case "threw":
      return { ...ending, kind: "failed" };
    case "canceled":
      return done(runId, (await engine().cancel(runId)) ? "success" : "workflow-already-ended");
    case "returned": {
      try {
        const result = serialize(ending.result, "The workflow's result");
        await tell(visit, "runCompleted", { context, result: ending.result });
        const finish = (await engine().finish(runId, result)) ? "success" : "workflow-already-ended";
        return done(runId, finish);
      } catch (error) {
        return { kind: "failed", error, where };
      }
    }
    default:
      return ending satisfies never;
  }
}

async function tellOpening(
  visit: Visit<Resume>,
  context: WorkflowContext,
  records: readonly StepRecord[],
): Promise<void> {
  const last = records.at(-1);
  if (!last) await tell(visit, "runStarted", { context });
  else if (last.failure) {
    const error = toStepError(stepOf(last), last.failure);
    await tell(visit, "onError", { workflowRunId: context.workflowRunId, error });
  } else if (!isPlan(last))
    await tell(visit, "afterExecution", { context, stepName: last.stepName, result: read(last) });
}

function tell<Event extends keyof MiddlewareEvents>(
  { served }: Visit<Resume>,
  event: Event,
  told: MiddlewareEvents[Event],
): Promise<void> {
  return tellAll(served.middlewares, event, told);
}
