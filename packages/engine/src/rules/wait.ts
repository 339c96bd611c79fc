import { isPlan, parseDuration, recordKey, type StepRecord } from "@perdure/core/protocol";
import { toBase64 } from "./bytes.ts";
import { EngineError, invalid } from "./engine-error.ts";
import { toUrl } from "./field.ts";
import { refusePlainOptions } from "./limits.ts";
import type { NewMessage } from "./message.ts";
import { firstValues, type PublishRequest, requireRunId, toNewMessage } from "./new-message.ts";
import { type OptionLimits, readOptions } from "./options.ts";
import { readRecord } from "./record.ts";
import { messageOf } from "./thrown.ts";

/** A step that the engine records when its event comes, or its timeout ends. */
export interface NewWait {
  readonly runId: string;
  readonly eventId: string;
  /** The record's key, unique within its run. */
  readonly key: string;
  readonly step: StepRecord;
  /** The timeout as the endpoint sent it. */
  readonly timeout: string;
  /** Milliseconds since 1970. */
  readonly deadline: number;
  /** The URL to which the engine delivers the record at the timeout. */
  readonly timeoutUrl: string;
  /** The body of the wait as the endpoint sent it, for the list of waiters. */
  readonly timeoutBody: unknown;
  readonly timeoutHeaders: Readonly<Record<string, readonly string[]>>;
  /** Delivers the record when the event comes. */
  readonly message: NewMessage;
}

/** A step of an inline run that the engine records when its time is over. Nothing else ends it. */
export interface NewSleep {
  readonly runId: string;
  /** The record's key, unique within its run. */
  readonly key: string;
  /** The record to append. */
  readonly step: StepRecord;
  /** Milliseconds since 1970. */
  readonly deadline: number;
}

/** The body of a request to wait. */
export interface WaitBody {
  readonly url: string;
  /** The record to append. */
  readonly step: object;
  /** A duration. A number counts seconds. */
  readonly timeout: string | number;
  readonly timeoutUrl?: string | null | undefined;
  readonly timeoutBody?: unknown;
  readonly timeoutHeaders?: Readonly<Record<string, string | readonly string[]>> | null | undefined;
}

/** @throws EngineError `invalid_request` that names the field */
export function parseWait(
  eventId: string,
  request: Omit<PublishRequest, "destination" | "body"> & { readonly body: WaitBody },
  limits: OptionLimits,
): NewWait {
  const runId = requireRunId(request.headers);
  const { body } = request;
  const step = readStep(body.step, runId);
  const timeout = readTimeout(body.timeout);
  const url = toUrl(body.url, "url", limits);
  const headers = firstValues(body.timeoutHeaders ?? {}, "timeoutHeaders");
  const options = readOptions(headers, limits);
  refusePlainOptions(options);
  return {
    runId,
    eventId,
    key: recordKey(step),
    step,
    timeout: timeout.text,
    deadline: request.now + timeout.ms,
    timeoutUrl: typeof body.timeoutUrl === "string" ? toUrl(body.timeoutUrl, "timeoutUrl", limits) : url,
    timeoutBody: body.timeoutBody,
    timeoutHeaders: Object.fromEntries([...headers].map(([name, value]) => [name, [value]])),
    message: toNewMessage("step", url, options, { ...request, body: new Uint8Array() }),
  };
}

/** Returns the record of a step that waited: with the event's data, or with its timeout. */
export function waitRecord(
  { step, eventId, timeout }: Pick<NewWait, "step" | "eventId" | "timeout">,
  data: Uint8Array | undefined,
): string {
  const waited = { ...step, waitEventId: eventId, timeout };
  if (!data) return JSON.stringify({ ...waited, waitTimeout: true });
  // An event without data has no result: the endpoint could take an empty result for a timeout.
  return JSON.stringify(data.length > 0 ? { ...waited, out: toBase64(data) } : waited);
}

function readStep(value: object, runId: string): StepRecord {
  let record: StepRecord;
  try {
    record = readRecord(JSON.stringify(value));
  } catch (cause) {
    throw new EngineError("invalid_request", `invalid step for workflow run ${runId}: ${messageOf(cause)}`, {
      cause,
    });
  }
  if (isPlan(record)) throw invalid("step", "it is a plan, which has no result");
  return record;
}

function readTimeout(value: string | number): { readonly text: string; readonly ms: number } {
  const text = typeof value === "number" ? `${value}s` : value;
  const ms = parseDuration(text);
  if (ms !== undefined) return { text, ms };
  throw invalid("timeout", `expected a duration such as "30s" or "7d", got ${JSON.stringify(value)}`);
}
