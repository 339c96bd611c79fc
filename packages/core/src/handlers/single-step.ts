import type { Resume } from "../protocol/delivery.ts";
import { stepMessage } from "../protocol/message.ts";
import { done, type Outcome } from "../protocol/outcome.ts";
import { failurePlace, type NewEntry } from "../replay/invocation.ts";
import { replay } from "../replay/run.ts";
import { serialize } from "../steps/index.ts";
import { type DeliveryContext, runRef } from "./delivery-context.ts";
import { emit } from "./events.ts";
import { placementOf } from "./placement.ts";
import type { PreparedRun } from "./prepared-run.ts";

/**
 * Carries out the next step of a run, or ends the run. The engine delivers the run again for each further
 * step.
 */
export async function runSingleStep(run: PreparedRun): Promise<Outcome> {
  const { ctx, invocation } = run;
  const replayed = await replay({ ...invocation, append: (appended) => append(ctx, appended) });
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
        await emit(ctx, "runCompleted", { context: run.context, result: replayed.result });
        const finish = (await engine().finish(runId, result)) ? "success" : "workflow-already-ended";
        return done(runId, finish);
      } catch (error) {
        return { kind: "failed", error, where: failurePlace(invocation.history) };
      }
    }
    default:
      return replayed satisfies never;
  }
}

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
