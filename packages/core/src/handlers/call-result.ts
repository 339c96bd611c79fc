import { callAnswerIn, readCallAnswer } from "../protocol/call.ts";
import type { CallResult } from "../protocol/delivery.ts";
import { stepMessage } from "../protocol/message.ts";
import { done, type Outcome } from "../protocol/outcome.ts";
import { type DeliveryContext, runRef } from "./delivery-context.ts";

/** Records what a third party has answered to a call. No user code is run, and the payload isn't looked at. */
export async function callResult(ctx: DeliveryContext<CallResult>): Promise<Outcome> {
  const { config, request, delivery } = ctx;
  const { runId } = delivery;
  let body = request.body;
  if (request.bytes.length === 0) {
    // Too large to be sent along.
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
