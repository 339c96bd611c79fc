import { toPostRunContext } from "../context.ts";
import { emitAll } from "../middleware.ts";
import type { Cancel, Failure } from "../protocol/delivery.ts";
import { toError, toErrorBody } from "../protocol/error.ts";
import { type FailureDetails, type FailureReport, parseFailure } from "../protocol/failure.ts";
import { done, type Outcome } from "../protocol/outcome.ts";
import { malformed } from "../protocol/parse.ts";
import { isPlan, type StepRecord, stepOf } from "../protocol/step.ts";
import { toStepError } from "../replay/step-matcher.ts";
import { readResult, serialize } from "../steps/index.ts";
import { parseLeniently } from "../util/json.ts";
import { normalizeUrl } from "../util/url.ts";
import type { CompletedStep, Rollback, RunEndParams } from "../workflow.ts";
import { type DeliveryContext, toRunContext } from "./delivery-context.ts";
import { around } from "./events.ts";
import { historyOf, type RunEnd, rollBack } from "./rollback.ts";

/** Calls the failure function of a run that has failed, after the rollbacks of its steps. */
export async function failure(ctx: DeliveryContext<Failure>): Promise<Outcome> {
  const { endpoint, delivery } = ctx;
  const { middlewares, failureFunction } = endpoint;
  const unhandled = done(delivery.runId, "failure-callback-undefined");
  const isUnneeded = !failureFunction && middlewares.length === 0;
  // Only Perdure's own engine supports rollbacks.
  if (isUnneeded && !delivery.ownEngine) return unhandled;
  const report = reportIn(ctx);
  const ended = await rolledBack(ctx, report, true);
  if ("kind" in ended) return ended;
  if (isUnneeded) return unhandled;
  const { url, payload, createdAt, details, ...reported } = report;
  const { failStatus, failResponse } = reported;
  const params = await paramsOf(ctx, report, ended);
  const { context } = params;
  await emitAll(middlewares, "runFailed", { context, failStatus, failResponse });
  if (!failureFunction) return unhandled;
  try {
    const result = await callFunction(ctx, "failure", () => failureFunction({ ...params, ...reported }));
    await emitAll(middlewares, "failureFunctionRan", { context, result });
    return { kind: "failureHandled", result };
  } catch (thrown) {
    await emitAll(middlewares, "failureFunctionRan", { context, error: thrown });
    throw thrown;
  }
}

/**
 * Calls the cancel function of a run that was cancelled, after the rollbacks of its steps with
 * `rollbackOnCancel`.
 */
export async function cancel(ctx: DeliveryContext<Cancel>): Promise<Outcome> {
  const { cancelFunction, rollbackOnCancel } = ctx.endpoint;
  const report = reportIn(ctx);
  const ended = await rolledBack(ctx, report, rollbackOnCancel);
  if ("kind" in ended) return ended;
  const params = await paramsOf(ctx, report, ended);
  const result = await callFunction(ctx, "cancel", () =>
    cancelFunction?.({ ...params, cancelId: report.failureId }),
  );
  return { kind: "failureHandled", result };
}

/**
 * Reads the report. A token of another engine isn't bound to a kind of delivery and a run, so the body must
 * show both: the answer to a call has a similar body.
 */
function reportIn({ config, request, delivery }: RunEnd): FailureReport {
  const report = parseFailure(request.body);
  const { runId = delivery.runId, dlqId, url = "" } = report;
  if (runId !== delivery.runId) throw malformed("The failure callback", "belongs to another run", runId);
  const isOwn = dlqId !== undefined || pathOf(url) === pathOf(config.workflowUrl(request.url));
  if (delivery.kind === "failure" && !isOwn)
    throw malformed("The failure callback", "belongs to another workflow", url);
  return report;
}

function pathOf(url: string): string {
  return URL.canParse(url) ? normalizeUrl(url).pathname : url;
}

interface Ended {
  readonly records: readonly StepRecord[] | undefined;
  readonly rollbacks: FailureDetails["rollbacks"];
}

async function rolledBack(ctx: RunEnd, report: FailureReport, wanted: boolean): Promise<Outcome | Ended> {
  const history = await historyOf(ctx, report);
  const rollsBack = history && wanted && report.details?.only !== "report";
  const rollbacks = rollsBack ? await rollBack(ctx, report, history) : (report.details?.rollbacks ?? []);
  if ("kind" in rollbacks) return rollbacks;
  return report.details?.only === "rollback"
    ? { kind: "rolledBack", record: undefined }
    : { records: history?.records, rollbacks };
}

async function paramsOf(
  ctx: RunEnd,
  report: FailureReport,
  { records, rollbacks }: Ended,
): Promise<RunEndParams> {
  const runContext = toRunContext(ctx, await payloadOf(ctx, report.payload), report);
  return {
    context: toPostRunContext(runContext),
    steps: records?.filter((record) => !isPlan(record)).map(completed),
    rollbacks: rollbacks.map(toRollback),
  };
}

function completed(record: StepRecord): CompletedStep {
  const step = stepOf(record);
  const { failure } = record;
  if (failure) return { ...step, error: toStepError(step, failure) };
  try {
    return { ...step, result: readResult(record) };
  } catch (error) {
    // An unreadable step must not hide the others.
    return { ...step, error: toStepError(step, { attempts: 1, error: toErrorBody(error, true) }) };
  }
}

function toRollback(record: FailureDetails["rollbacks"][number]): Rollback {
  const { state, attempts, error } = record;
  return { step: stepOf(record), state, attempts, ...(error ? { error: toError(error) } : {}) };
}

// A result that JSON can't contain fails the function, so the conversion happens here and not in the answer.
async function callFunction(ctx: RunEnd, which: "failure" | "cancel", run: () => unknown): Promise<unknown> {
  const result = await around(ctx, { kind: `${which}Function` }, async () => run());
  const json = serialize(result, `The ${which} function's result`);
  return json === undefined ? undefined : JSON.parse(json);
}

// An invalid payload may be the reason of the failure; the function then receives it unparsed.
async function payloadOf({ endpoint }: RunEnd, payload: string): Promise<unknown> {
  try {
    return await endpoint.parsePayload(payload);
  } catch {
    return parseLeniently(payload);
  }
}
