/** The wire protocol, for engines and tools: names, types and their parsers. @module */
import { checkFunction, mustBe } from "../util/check.ts";
import { writeLine } from "../util/console.ts";
import { checkOptions } from "../util/options.ts";
import * as names from "./header-names.ts";
import * as prefixes from "./header-prefixes.ts";

export { fromBase64, textFromBase64, toBase64 } from "../util/bytes.ts";
export { type Duration, MAX_DURATION_MS, parseDuration, parseUnixTime } from "../util/duration.ts";
export { checkUrl, isSameUrl, toHttpUrl, urlKey } from "../util/url.ts";
export { toApiUrl } from "./api-url.ts";
export { type AttemptEntry, type InlineAttempt, parseAttempt, type StepKey } from "./attempt.ts";
export { decodeStepName } from "./call.ts";
export { decodeCapabilities, type EndpointCapabilities, encodeCapabilities } from "./capabilities.ts";
export { CONNECTION_HEADERS } from "./connection-headers.ts";
export { CANCEL_CALL, classify, type Delivery, type DeliveryKind, kindOf } from "./delivery.ts";
export {
  type ErrorBody,
  type FailurePlace,
  type RunError,
  readFailure,
  shorten,
  toErrorBody,
} from "./error.ts";
export { type FailureBody, type FailureDetails, type FailureReport, parseFailure } from "./failure.ts";
export {
  CALL_FEATURES,
  FEATURES,
  forCallback,
  forFailureCallback,
  forward,
  PERSON_HEADER,
  PROTOCOL_VERSION,
  RETRIES_BY_DEFAULT,
} from "./headers.ts";
export {
  type CallType,
  cutAfter,
  type History,
  type HistoryEntry,
  parseHistory,
  readHistory,
} from "./history.ts";
export { isMessageRunId, isRunId, newMessageId, newScheduleId, randomId, toRunId } from "./ids.ts";
export type {
  InlineAnswer,
  InlineAnswers,
  InlineAppend,
  InlineAppends,
  InlineEnd,
  InlineMessage,
  InlineNews,
  InlineRecord,
  InlineRequest,
} from "./inline.ts";
export type { InvokeEnvelope } from "./invoke.ts";
export { LOWERCASE_HEADER, LOWERCASE_PREFIX } from "./lowercase-names.ts";
export type { Message, Redact, RunOptions } from "./message.ts";
export { changedOptionHeaders, startMessage, stepMessage } from "./message.ts";
export { type MessageOptions, messageHeaders } from "./message-options.ts";
export type { FlowControl } from "./options.ts";
export { type FinishCondition, NON_RETRYABLE_STATUS } from "./outcome.ts";
export { isKeyOf, keyOf, type RecordKind, stepOfKey } from "./record-key.ts";
export { isExpression } from "./retry-delay.ts";
export { type PendingRollback, type RollbackAnswer, type RollbackRecord, readRollback } from "./rollback.ts";
export { isPlan, parseStep, recordKey, resultId, type StepRecord, type StepType, toStep } from "./step.ts";
export {
  boundHeaders,
  DEV_CREDENTIALS,
  type DeliveryClaim,
  ISSUER,
  isPublicSecret,
  TOKEN_CLAIM,
  userIdIn,
} from "./token.ts";
export {
  type Env,
  readVariable,
  readVariables,
  SIGNING_KEY_VARIABLES,
  upstashName,
  type Variable,
  type VariableName,
} from "./variables.ts";
export type { NotifyResponse, WaitBody, Waiter, WebhookHit } from "./wait.ts";
/** The engine checks its options with `checkOptions` and these; the adapters and the engine write errors of user code with `writeLine`. */
export { checkFunction, checkOptions, mustBe, writeLine };

/** Every header name of the two protocols (QStash and workflow) that Perdure reads or writes. */
export const HEADER: typeof names = names;

/** The prefixes of header names, which say for whom a header is. */
export const PREFIX: typeof prefixes = prefixes;
export { PUBLIC_USERS } from "./public-users.ts";
