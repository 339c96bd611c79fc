import { malformed } from "../protocol/parse.ts";
import type { StepRecord, StepType } from "../protocol/step.ts";
import { WorkflowError } from "../util/errors.ts";
import { readCall } from "./call.ts";
import { readWait } from "./event.ts";
import { readInvoke } from "./invoke.ts";
import { deserialize } from "./step.ts";
import { readWebhook } from "./webhook.ts";

export {
  type AnthropicSettings,
  anthropic,
  type OpenAISettings,
  openai,
  type ResendSettings,
  resend,
} from "./api.ts";
export { type CallResponse, type CallWorkflow, call } from "./call.ts";
export {
  type EventResponse,
  eventIdOf,
  type NotifyStepResponse,
  notify,
  type WaitOptions,
  type WaitResponse,
  type WorkflowEvent,
  waitForEvent,
} from "./event.ts";
export {
  type ChildPayload,
  type Invokable,
  type InvokeBody,
  type InvokeResponse,
  type InvokeSettings,
  invoke,
  type PayloadOf,
  type ResultOf,
} from "./invoke.ts";
export {
  type AttemptInfo,
  checkOnExhausted,
  decideRetry,
  decideRetryWithinLimit,
  type RetryDelay,
  type RollbackOptions,
  type RollbackParams,
  type StepOptions,
} from "./policy.ts";
export { run, type StepWork } from "./run.ts";
export { sleep, sleepUntil } from "./sleep.ts";
export {
  type EngineRequest,
  inStep,
  type Schedule,
  type Step,
  type StepAttempt,
  type StepPlacement,
  serialize,
  toBody,
} from "./step.ts";
export {
  createWebhook,
  type Webhook,
  type WebhookEventResponse,
  type WebhookResponse,
  waitForWebhook,
} from "./webhook.ts";

/** Reads the result of each kind of step from its record. */
const KINDS: Record<StepType, (record: StepRecord) => unknown> = {
  Run: deserialize,
  SleepFor: () => undefined,
  SleepUntil: () => undefined,
  Call: readCall,
  Wait: readWait,
  Notify: deserialize,
  Invoke: readInvoke,
  CreateWebhook: deserialize,
  WaitForWebhook: readWebhook,
};

/**
 * Reads the result that the workflow receives for a recorded step.
 *
 * @throws WorkflowError `malformed_body` when the record can't be read
 */
export function readResult(record: StepRecord): unknown {
  try {
    if (!Object.hasOwn(KINDS, record.stepType)) throw new TypeError(`There is no kind ${record.stepType}.`);
    return KINDS[record.stepType](record);
  } catch (cause) {
    if (cause instanceof WorkflowError) throw cause;
    throw malformed(
      `The record of step "${record.stepName}"`,
      "can't be read",
      JSON.stringify(record),
      cause,
    );
  }
}
