import type { RunContext } from "../context.ts";
import { tellAll } from "../middleware.ts";
import type { Failure } from "../protocol/delivery.ts";
import { type FailureReport, parseFailure } from "../protocol/failure.ts";
import type { Outcome } from "../protocol/outcome.ts";
import { serialize } from "../steps/index.ts";
import { parseLeniently } from "../workflow.ts";
import { factsOf, type Visit } from "./room.ts";

/** Calls the failure function of a run that has failed. The workflow itself isn't run. */
export async function failure(visit: Visit<Failure>): Promise<Outcome> {
  const { served, mail, delivery } = visit;
  const told = served.middlewares.length > 0;
  if (!served.failureFunction && !told) return { kind: "failureUnhandled", runId: delivery.runId };
  const { payload, url, createdAt, ...report } = parseFailure(mail.body);
  const context = factsOf(visit, await payloadOf(visit, payload), { url, createdAt });
  const { failStatus, failResponse } = report;
  await tellAll(served.middlewares, "runFailed", { context, failStatus, failResponse });
  if (!served.failureFunction) return { kind: "failureUnhandled", runId: delivery.runId };
  try {
    const result = await call(visit, context, report);
    await tellAll(served.middlewares, "failureFunctionRan", { context, result });
    return { kind: "failureHandled", result };
  } catch (error) {
    await tellAll(served.middlewares, "failureFunctionRan", { context, error });
    throw error;
  }
}

type Report = Omit<FailureReport, "payload" | "url" | "createdAt">;

// Its result is taken through JSON here, so that one that can't be stored is the function's failure and not the answer's.
async function call({ served }: Visit<Failure>, context: RunContext, report: Report): Promise<unknown> {
  const result = await served.failureFunction?.({ context, ...report });
  const json = serialize(result, "The failure function's result");
  return json === undefined ? undefined : JSON.parse(json);
}

// A payload that doesn't fit may be the reason of the failure: the function is to see it then, as it came.
async function payloadOf({ served }: Visit<Failure>, payload: string): Promise<unknown> {
  try {
    return await served.parsePayload(payload);
  } catch {
    return parseLeniently(payload);
  }
}
