import { callAnswerIn, readCallAnswer } from "../protocol/call.ts";
import type { CallResult } from "../protocol/delivery.ts";
import { stepMessage } from "../protocol/message.ts";
import { done, type Outcome } from "../protocol/outcome.ts";
import { placeOf, type Visit } from "./room.ts";

/** Records what a third party has answered to a call. No user code is run, and the payload isn't looked at. */
export async function callResult(visit: Visit<CallResult>): Promise<Outcome> {
  const { border, mail, delivery } = visit;
  const { runId } = delivery;
  let body = mail.body;
  if (mail.bytes.length === 0) {
    // Too large to be sent along.
    const entries = await border.engine().history(runId);
    if (!entries) return done(runId, "workflow-already-ended");
    body = callAnswerIn(entries, delivery.messageId);
  }
  const record = readCallAnswer(mail.headers, body);
  if (!record) return done(runId, "fromCallback");
  const subject = `the answer to step "${record.stepName}"`;
  const appended = await border.engine().append(runId, [stepMessage(placeOf(visit), record)], subject);
  return done(runId, appended ? "fromCallback" : "workflow-already-ended");
}
