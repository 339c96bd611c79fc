import type { Failure } from "../protocol/delivery.ts";
import { parseFailure } from "../protocol/failure.ts";
import type { Outcome } from "../protocol/outcome.ts";
import { serialize } from "../steps/index.ts";
import { parseLeniently } from "../workflow.ts";
import { factsOf, type Visit } from "./room.ts";

/** Calls the failure function of a run that has failed. The workflow itself isn't run. */
export async function failure(visit: Visit<Failure>): Promise<Outcome> {
  const { served, mail, delivery } = visit;
  if (!served.failureFunction) return { kind: "failureUnhandled", runId: delivery.runId };
  const { payload, url, createdAt, ...report } = parseFailure(mail.body);
  const context = factsOf(visit, await payloadOf(visit, payload), { url, createdAt });
  const result = await served.failureFunction({ context, ...report });
  // Taken through JSON here, so that a result that can't be stored is this function's failure and not the answer's.
  const json = serialize(result, "The failure function's result");
  return { kind: "failureHandled", result: json === undefined ? undefined : JSON.parse(json) };
}

// A payload that doesn't fit may be the reason of the failure: the function is to see it then, as it came.
async function payloadOf({ served }: Visit<Failure>, payload: string): Promise<unknown> {
  try {
    return await served.parsePayload(payload);
  } catch {
    return parseLeniently(payload);
  }
}
