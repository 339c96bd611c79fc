import {
  CALL_FEATURES,
  FEATURES,
  forCallback,
  forward,
  HEADER,
  type InlineMessage,
  type InvokeEnvelope,
} from "@perdure/core/protocol";
import { APP, ofRun } from "../harness.ts";
import { CHILD, THIRD } from "../steps.ts";

/** The message of a call, as an item of a batch. */
export function callMessage(
  runId: string,
  id: number,
  { body = "", retries = 0 }: { readonly body?: string; readonly retries?: number } = {},
): InlineMessage {
  const answer = {
    [HEADER.runId]: runId,
    [HEADER.callType]: "fromCallback",
    [forward(HEADER.isCallResult)]: "true",
    [forward(HEADER.stepId)]: String(id),
    [forward(HEADER.stepName)]: `step${id}`,
    [forward(HEADER.stepType)]: "Call",
    [forward(HEADER.concurrent)]: "1",
  };
  return {
    destination: THIRD,
    body,
    headers: lower({
      [HEADER.runId]: runId,
      [HEADER.featureSet]: CALL_FEATURES,
      [HEADER.callType]: "toCallback",
      [HEADER.method]: "POST",
      [HEADER.retries]: String(retries),
      [HEADER.callback]: APP,
      ...Object.fromEntries(Object.entries(answer).map(([name, value]) => [forCallback(name), value])),
    }),
  };
}

/** The message that starts a run which a step invokes, as an item of a batch. */
export function invokeMessage(runId: string, id: number, childId: string): InlineMessage {
  const envelope: InvokeEnvelope = {
    body: '{"for":"child"}',
    headers: {},
    workflowRunId: runId,
    workflowRunCreatedAt: 0,
    workflowUrl: APP,
    step: { stepId: id, stepName: `step${id}`, stepType: "Invoke", concurrent: 1 },
  };
  return {
    destination: CHILD,
    body: JSON.stringify(envelope),
    headers: lower({
      ...ofRun(childId, "true"),
      [HEADER.featureSet]: FEATURES,
      [HEADER.workflowUrl]: CHILD,
      [HEADER.invoke]: "true",
    }),
  };
}

function lower(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}
