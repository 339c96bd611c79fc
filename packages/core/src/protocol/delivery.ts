import { WorkflowError } from "../util/errors.ts";
import * as HEADER from "./header-names.ts";
import { PROTOCOL_VERSION } from "./headers.ts";
import { malformed } from "./parse.ts";

/** A request to a workflow's endpoint, classified by its headers alone. */
export type Delivery = Start | Resume | CallResult | Failure | Cancel;

/** The kind of a request. A separate handler answers each kind. */
export type DeliveryKind = Delivery["kind"];

interface AnyDelivery {
  /** The engine's id of this message, the same in each attempt; undefined when no engine has sent the request. */
  readonly messageId: string | undefined;
  readonly labels: string[];
  /** Perdure's own engine sends the request: it supports rollbacks, cancel functions and milliseconds. */
  readonly ownEngine: boolean;
}

/** Starts a run: a payload from any client, or from an engine that doesn't know which protocol the endpoint speaks. */
export interface Start extends AnyDelivery {
  readonly kind: "start";
  /** Set when the engine has already created the run and asks for its configuration. */
  readonly runId: string | undefined;
}

/** Contains a run's history and asks for the next step. */
export interface Resume extends RunDelivery {
  readonly kind: "resume";
  /** The right to append to the run, if the engine offers inline execution. */
  readonly lease: string | undefined;
  /** When the engine sent the delivery, in milliseconds since 1970; 0 when it doesn't say. */
  readonly engineTime: number;
  /** The id of the run that this one continues, also through several resumptions; else its own. */
  readonly originalRunId: string;
}

/** Contains a third party's answer to a `call` step. */
export interface CallResult extends RunDelivery {
  readonly kind: "callResult";
}

/** Reports that the run has failed, and that the engine won't retry. */
export interface Failure extends RunDelivery {
  readonly kind: "failure";
}

/** Reports that the run was cancelled. Only Perdure's own engine sends it, when the endpoint asks for it. */
export interface Cancel extends RunDelivery {
  readonly kind: "cancel";
}

interface RunDelivery extends AnyDelivery {
  readonly runId: string;
  /** Earlier attempts to deliver this message. */
  readonly retried: number;
  /** When the run was created, in milliseconds since 1970; 0 when the engine doesn't send it. */
  readonly createdAt: number;
  /** The depth of the run in a tree of invoked runs: 0 for a run that no other run invokes. */
  readonly invokeCount: number;
}

/** The value of {@link HEADER.callType} on a {@link Cancel}. */
export const CANCEL_CALL = "cancelCall";

/** Headers that may occur only once: joined values don't show which one the sender means. */
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
  HEADER.lease,
  HEADER.engineTime,
  HEADER.originalRun,
];

/**
 * Returns the kind of a request, without validating its other headers.
 *
 * @example
 * ```ts
 * kindOf(new Headers()); // "start"
 * kindOf(request.headers) === "failure";
 * ```
 */
export function kindOf(headers: Headers): DeliveryKind {
  if (headers.get(HEADER.callType) === CANCEL_CALL) return "cancel";
  if (headers.get(HEADER.isFailure) === "true" || headers.has(HEADER.isFailureCallback)) return "failure";
  if (headers.has(HEADER.isCallResult)) return "callResult";
  if (headers.has(HEADER.sdkVersion) && !headers.has(HEADER.unknownSdk)) return "resume";
  return "start";
}

/**
 * Classifies a request by its headers.
 *
 * @throws WorkflowError `malformed_body` for a repeated header, `protocol_mismatch` for another protocol version,
 * `missing_run_id` when the kind needs a run id
 * @example
 * ```ts
 * const delivery = classify(request.headers);
 * if (delivery.kind === "resume") console.log(delivery.runId, delivery.retried);
 * ```
 */
export function classify(headers: Headers): Delivery {
  for (const name of SINGLE_VALUED_HEADERS) {
    const value = headers.get(name);
    if (value?.includes(", ")) throw malformed(`The header ${name}`, "occurs more than once", value);
  }
  const kind = kindOf(headers);
  const common: AnyDelivery = {
    messageId: headers.get(HEADER.messageId) || undefined,
    labels: labelsOf(headers),
    // Other engines don't send their number of retries.
    ownEngine: headers.has(HEADER.maxRetries),
  };
  if (kind === "resume") requireVersion(headers);
  if (kind === "start" && !headers.has(HEADER.unknownSdk)) return { kind, runId: undefined, ...common };
  const runId = requireRunId(headers, kind);
  if (kind === "start") return { kind, runId, ...common };
  const run = {
    runId,
    ...common,
    retried: toCount(headers.get(HEADER.retried)),
    createdAt: toCount(headers.get(HEADER.createdAt)),
    invokeCount: toCount(headers.get(HEADER.invokeCount)),
  };
  if (kind !== "resume") return { kind, ...run };
  const lease = headers.get(HEADER.lease) || undefined;
  const engineTime = toCount(headers.get(HEADER.engineTime));
  return { kind, ...run, lease, engineTime, originalRunId: headers.get(HEADER.originalRun) || runId };
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
