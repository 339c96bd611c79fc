import { checkOptions } from "../util/options.ts";
import * as names from "./header-names.ts";
import * as prefixes from "./header-prefixes.ts";

/** The wire protocol, for engines and tools: names, types and their parsers. */
export { MAX_DURATION_MS, parseDuration, parseUnixTime } from "../util/duration.ts";
export { isSameUrl, toHttpUrl, urlKey } from "../util/url.ts";
export { decodeStepName } from "./call.ts";
export { decodeCapabilities, type EndpointCapabilities, encodeCapabilities } from "./capabilities.ts";
export { CANCEL_CALL, classify, type Delivery, type DeliveryKind, kindOf } from "./delivery.ts";
export { type ErrorBody, type FailurePlace, type RunError, readFailure, toErrorBody } from "./error.ts";
export { type FailureBody, type FailureDetails, type FailureReport, parseFailure } from "./failure.ts";
export {
  CALL_FEATURES,
  FEATURES,
  forCallback,
  forFailureCallback,
  forward,
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
export type {
  AttemptEntry,
  InlineAnswer,
  InlineAnswers,
  InlineAppend,
  InlineAppends,
  InlineAttempt,
  InlineEnd,
  InlineMessage,
  InlineNews,
  InlineRecord,
  InlineRequest,
  StepKey,
} from "./inline.ts";
export type { InvokeEnvelope } from "./invoke.ts";
export type { Message, Redact, RunOptions } from "./message.ts";
export { startMessage, stepMessage } from "./message.ts";
export type { FlowControl } from "./options.ts";
export { type FinishCondition, NON_RETRYABLE_STATUS } from "./outcome.ts";
export { isExpression } from "./retry-delay.ts";
export { type PendingRollback, type RollbackAnswer, type RollbackRecord, readRollback } from "./rollback.ts";
export { isPlan, parseStep, recordKey, resultId, type StepRecord, type StepType } from "./step.ts";
export {
  boundHeaders,
  DEV_CREDENTIALS,
  type DeliveryClaim,
  ISSUER,
  isPublicSecret,
  TOKEN_CLAIM,
} from "./token.ts";
export type { NotifyResponse, WaitBody, Waiter, WebhookHit } from "./wait.ts";
/** Refuses unknown options. The engine checks its own options with it. */
export { checkOptions };

/** Every header name of the two protocols (QStash and workflow) that Perdure reads or writes. */
export const HEADER: typeof names = names;

/** The prefixes of header names, which say for whom a header is. */
export const PREFIX: typeof prefixes = prefixes;
export { PUBLIC_USERS } from "./public-users.ts";
