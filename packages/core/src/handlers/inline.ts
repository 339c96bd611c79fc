import type { AttemptEntry } from "../protocol/attempt.ts";
import type { Resume } from "../protocol/delivery.ts";
import { randomId } from "../protocol/ids.ts";
import type { InlineEnd, InlineRequest } from "../protocol/inline.ts";
import { done, type InlineAnswerPart, type Outcome } from "../protocol/outcome.ts";
import { isPlan, resultId, type StepRecord } from "../protocol/step.ts";
import type { InlineInvocation, InlineLimits, InlineResult } from "../replay/inline-invocation.ts";
import { MAX_ANSWER_LENGTH, runInline } from "../replay/inline-run.ts";
import type { Step } from "../steps/index.ts";
import { toMilliseconds } from "../util/duration.ts";
import { messageOf } from "../util/errors.ts";
import type { DeliveryContext } from "./delivery-context.ts";
import { emit, emitRecord } from "./events.ts";
import { placementOf } from "./placement.ts";
import type { PreparedRun } from "./prepared-run.ts";
import { reportFailure } from "./report-failure.ts";

/** The engine's offer to run inline, with the history that came with it. */
interface Offer {
  readonly lease: string;
  readonly engineAheadMs: number;
  readonly limits: InlineLimits;
  /** The number of the history's entries. */
  readonly known: number;
  readonly records: readonly StepRecord[];
  readonly attempts: readonly AttemptEntry[];
}

/** Continues a run by as many steps as one delivery can run. */
export async function resumeInline(run: PreparedRun, offer: Offer): Promise<Outcome> {
  const { ctx, invocation } = run;
  const { lease, engineAheadMs, limits, known, records, attempts } = offer;
  const append = ctx.config.engine().appender();
  const id = randomId();
  if (known === 1) await emit(ctx, "runStarted", { context: run.context });
  const isObserved = ctx.endpoint.middlewares.length > 0;
  // Results that the engine has recorded after the last invocation: this one emits them.
  const received = resultsAtEnd(records);
  const emitRecords = async (recorded: readonly StepRecord[] = []): Promise<void> => {
    for (const record of [...received.splice(0), ...recorded]) await emitRecord(ctx, run.context, record);
  };
  const result = await runInline({
    ...invocation,
    lease,
    id,
    engineAheadMs,
    limits,
    known,
    attempts,
    append: async (appended) => {
      if (isObserved && appended.records.length > 0) await emitRecords();
      try {
        return await append(
          appended.after > known ? appended : { ...appended, capabilities: ctx.endpoint.capabilities },
        );
      } catch (error) {
        const warning = `The run goes on with a delivery for each step: ${messageOf(error)}`;
        await emit(ctx, "onWarning", { workflowRunId: ctx.delivery.runId, warning });
        throw error;
      }
    },
    toAsk: (step, id) => toRequest(ctx, step, id),
    beforeStep: isObserved
      ? async (step) => {
          await emitRecords();
          await invocation.beforeStep?.(step);
        }
      : undefined,
    recorded: isObserved
      ? async (recorded) => {
          if (recorded.length > 0) await emitRecords(recorded);
        }
      : undefined,
    onResult: (record) => received.push(record),
    attemptFailed: (failure) => reportFailure(ctx.endpoint, ctx.delivery, failure),
  });
  if (result.kind !== "parked" && result.kind !== "lost") await emitRecords();
  return conclude(run, { lease, id }, result);
}

/**
 * The results at the history's end that the engine has recorded for steps that an invocation has requested
 * from it.
 */
function resultsAtEnd(records: readonly StepRecord[]): StepRecord[] {
  const requested = new Set(records.filter(isPlan).map(resultId));
  const isOwn = (record: StepRecord) =>
    isPlan(record) || record.startedAt || !requested.has(resultId(record));
  const own = records.findLastIndex(isOwn);
  return records.slice(own + 1);
}

function toRequest(ctx: DeliveryContext<Resume>, step: Step, id: number): InlineRequest {
  const { name, toEngineRequest, schedule = {}, options } = step;
  if (!toEngineRequest)
    return schedule.notBefore === undefined
      ? { delayMs: toMilliseconds(schedule.delay, "The duration") }
      : { until: schedule.notBefore * 1000 };
  const rollback = options?.rollback && true;
  const { message, wait } = toEngineRequest(placementOf(ctx, { name, id, concurrent: 1, rollback }));
  return message ? { message: ctx.config.engine().toBatchItem(message) } : { wait };
}

type Holder = Pick<InlineInvocation, "lease" | "id">;

async function conclude(
  run: PreparedRun,
  { lease, id: invocation }: Holder,
  result: InlineResult,
): Promise<Outcome> {
  const { ctx, context } = run;
  const { runId } = ctx.delivery;
  const { after, records } = result;
  const answered = (end: Partial<InlineEnd>): InlineAnswerPart => ({
    lease,
    end: { invocation, after, records, ...end },
  });
  const ended = (end: Partial<InlineEnd>): Outcome => ({
    ...done(runId, "success"),
    inline: answered(end),
  });
  switch (result.kind) {
    case "parked":
    case "continue":
      return ended({ end: result.kind });
    case "lost":
      await emit(ctx, "onWarning", { workflowRunId: runId, warning: "The run has ended." });
      return { kind: "lost", lease, reason: result.reason };
    case "canceled":
      return done(runId, (await ctx.config.engine().cancel(runId)) ? "success" : "workflow-already-ended");
    case "threw": {
      const { failed, ...failure } = result;
      return { ...failure, kind: "failed", inline: answered({ failed }) };
    }
    case "returned": {
      const { json } = result;
      const isLarge = (json?.length ?? 0) > MAX_ANSWER_LENGTH;
      // Records that the engine couldn't take before a result of this size: the next invocation returns it.
      if (isLarge && records.length > 0) return ended({ end: "continue" });
      try {
        await emit(ctx, "runCompleted", { context, result: result.result });
        if (!isLarge) return ended({ end: "returned", result: json });
        const isOver = await ctx.config.engine().finish(runId, json, lease);
        return isOver ? done(runId, "success") : { kind: "lost", lease, reason: "run_over" };
      } catch (error) {
        const where = after + records.length > 1 ? "after-last-step" : "before-first-step";
        return { kind: "failed", error, where, inline: answered({}) };
      }
    }
    default:
      return result satisfies never;
  }
}
