import { callAnswerIn, readCallAnswer } from "../protocol/call.ts";
import type { CallResult } from "../protocol/delivery.ts";
import { stepMessage } from "../protocol/message.ts";
import { done, type Outcome } from "../protocol/outcome.ts";
import { type DeliveryContext, runRef } from "./delivery-context.ts";

/** Records the answer to a call. Runs no user code, and doesn't read the payload. */
export async function callResult(ctx: DeliveryContext<CallResult>): Promise<Outcome> {
  const { config, request, delivery } = ctx;
  const { runId } = delivery;
  let body = request.body;
  if (request.bytes.length === 0) {
    // The engine leaves out a history that is too large, so the endpoint fetches it.
    const entries = await config.engine().history(runId);
    if (!entries) return done(runId, "workflow-already-ended");
    body = callAnswerIn(entries, delivery.messageId);
  }
  const record = readCallAnswer(request.headers, body);
  if (!record) return done(runId, "fromCallback");
  const subject = `the answer to step "${record.stepName}"`;
  const appended = await config.engine().append(runId, [stepMessage(runRef(ctx), record)], subject);
  return done(runId, appended ? "fromCallback" : "workflow-already-ended");
}
