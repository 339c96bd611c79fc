import { WorkflowError } from "../util/errors.ts";
import * as HEADER from "./header-names.ts";
import { PROTOCOL_VERSION } from "./headers.ts";
import { malformed } from "./parse.ts";

/** What a request is, told by its headers alone. */
export type Delivery = Start | Resume | CallResult | Failure | Cancel;

/** What a request wants: each is answered by its own code. */
export type DeliveryKind = Delivery["kind"];

/** Begins a run: a payload from anyone, or a run that the engine created without knowing our protocol version. */
export interface Start {
  readonly kind: "start";
  /** Set when the engine has created the run already and asks for its configuration. */
  readonly runId: string | undefined;
  /** Set when an engine delivers the payload: the same on each of its attempts. */
  readonly messageId: string | undefined;
  readonly labels: string[];
}

/** Carries a run's history and asks for what comes next. */
export interface Resume extends RunFields {
  readonly kind: "resume";
}

/** Brings the answer of a third party to a `call` step. */
export interface CallResult extends RunFields {
  readonly kind: "callResult";
}

/** Tells that the run has failed for good. */
export interface Failure extends RunFields {
  readonly kind: "failure";
}

/** Tells that the run was cancelled. Our own engine does, where it was asked to. */
export interface Cancel extends RunFields {
  readonly kind: "cancel";
}

interface RunFields {
  readonly runId: string;
  readonly messageId: string | undefined;
  /** Earlier attempts to deliver this message. */
  readonly retried: number;
  /** When the run was created, in milliseconds since 1970; 0 when the engine didn't say. */
  readonly createdAt: number;
  readonly labels: string[];
  /** Runs between this one and the one that nobody invoked. */
  readonly invokeCount: number;
}

/** The {@link HEADER.callType} of {@link Cancel}. */
export const CANCEL_CALL = "cancelCall";

/** A request has one of each at most: of two that were joined, nobody knows which is meant. */
const SINGLE_VALUED_HEADERS: readonly string[] = [
  HEADER.runId,
  HEADER.messageId,
  HEADER.sdkVersion,
  HEADER.callType,
  HEADER.isFailure,
  HEADER.isFailureCallback,
  HEADER.isCallResult,
  HEADER.retried,
  HEADER.createdAt,
  HEADER.invokeCount,
];

/** The kind of a request, without a look at its other headers. */
export function kindOf(headers: Headers): DeliveryKind {
  if (headers.get(HEADER.callType) === CANCEL_CALL) return "cancel";
  if (headers.get(HEADER.isFailure) === "true" || headers.has(HEADER.isFailureCallback)) return "failure";
  if (headers.has(HEADER.isCallResult)) return "callResult";
  if (headers.has(HEADER.sdkVersion) && !headers.has(HEADER.unknownSdk)) return "resume";
  return "start";
}

/**
 * @throws WorkflowError `malformed_body` for a header that is there more than once, `protocol_mismatch` for another version of the protocol, `missing_run_id` where the kind needs one
 */
export function classify(headers: Headers): Delivery {
  for (const name of SINGLE_VALUED_HEADERS) {
    const value = headers.get(name);
    if (value?.includes(", ")) throw malformed(`The header ${name}`, "is there more than once", value);
  }
  const kind = kindOf(headers);
  const messageId = headers.get(HEADER.messageId) || undefined;
  const labels = labelsOf(headers);
  if (kind === "resume") requireVersion(headers);
  if (kind === "start" && !headers.has(HEADER.unknownSdk))
    return { kind, runId: undefined, messageId, labels };
  const runId = requireRunId(headers, kind);
  if (kind === "start") return { kind, runId, messageId, labels };
  return {
    kind,
    runId,
    messageId,
    labels,
    retried: toCount(headers.get(HEADER.retried)),
    createdAt: toCount(headers.get(HEADER.createdAt)),
    invokeCount: toCount(headers.get(HEADER.invokeCount)),
  };
}

function labelsOf(headers: Headers): string[] {
  const labels = headers.get(HEADER.label)?.split(",") ?? [];
  return labels.map((label) => label.trim()).filter(Boolean);
}

function requireRunId(headers: Headers, kind: DeliveryKind): string {
  const runId = headers.get(HEADER.runId);
  if (runId) return runId;
  throw new WorkflowError("missing_run_id", `A ${kind} request needs the header ${HEADER.runId}.`);
}

function requireVersion(headers: Headers): void {
  const version = headers.get(HEADER.sdkVersion);
  if (version === PROTOCOL_VERSION) return;
  throw new WorkflowError(
    "protocol_mismatch",
    `${HEADER.sdkVersion} is "${version}"; this package speaks version "${PROTOCOL_VERSION}".`,
  );
}

function toCount(value: string | null): number {
  const number = Number(value);
  return Number.isSafeInteger(number) && number > 0 ? number : 0;
}
