import { hasStrings } from "../util/check.ts";
import { WorkflowError } from "../util/errors.ts";
import { type AttemptEntry, parseAttempt } from "./attempt.ts";
import { malformed, parseBase64, parseJson } from "./parse.ts";
import { parseStep, recordKey, type StepRecord } from "./step.ts";

/**
 * The kind of an entry: `step` for the payload or a step's record, `toCallback` for a call, `fromCallback` for its answer,
 * `attempt` for a failed attempt of a step that ran inline.
 */
export type CallType = "step" | "toCallback" | "fromCallback" | "attempt";

/** An entry of a history, which lists the oldest first: in a delivery's body, or in the engine's answer to a request for it. */
export interface HistoryEntry {
  readonly messageId: string;
  /** Base64 of the payload in the first entry, of a {@link StepRecord} as JSON in the other steps. */
  readonly body: string;
  readonly callType: CallType;
}

/** The part of a run's history that one delivery sees. */
export interface History {
  /** The initial payload; an empty string for none. */
  readonly payload: string;
  /** In the order of recording. Of records with the same key, the first. */
  readonly records: readonly StepRecord[];
  /** True when the delivered entry repeats an earlier one, so its work is done. */
  readonly duplicate: boolean;
  /** The failed attempts of steps that ran inline. */
  readonly attempts: readonly AttemptEntry[];
}

/**
 * Parses a run's history.
 *
 * @throws WorkflowError `malformed_body` when the string isn't a list of entries
 * @example
 * ```ts
 * const entries = parseHistory(await request.text());
 * ```
 */
export function parseHistory(json: string): HistoryEntry[] {
  const subject = "The run's history";
  const value = parseJson(subject, json);
  if (!isHistory(value)) throw malformed(subject, "isn't a list of entries", json);
  return value;
}

/** True for a non-empty list of entries. */
export function isHistory(value: unknown): value is HistoryEntry[] {
  return Array.isArray(value) && value.length > 0 && value.every(isEntry);
}

/**
 * Returns the part of a fetched history that a delivery may see: all entries up to the delivered one. Later entries belong to
 * other deliveries, which may run at the same time.
 *
 * @throws WorkflowError `engine_refused` when the history lacks the message: the engine may not have it yet
 * @example
 * ```ts
 * const visible = cutAfter(entries, "msg_7");
 * ```
 */
export function cutAfter(entries: readonly HistoryEntry[], messageId: string): readonly HistoryEntry[] {
  if (entries.length === 1) return entries;
  const at = entries.findIndex((entry) => entry.messageId === messageId);
  if (at >= 0) return entries.slice(0, at + 1);
  throw missingMessage(messageId);
}

/** The error for a history without the delivered message. */
export function missingMessage(messageId: string | undefined): WorkflowError {
  return new WorkflowError(
    "engine_refused",
    `The engine's history of the run has no message "${messageId}".`,
  );
}

/**
 * Decodes a history's payload and records.
 *
 * @throws WorkflowError `malformed_body` when an entry can't be decoded
 * @example
 * ```ts
 * const { payload, records } = readHistory(parseHistory(json));
 * ```
 */
export function readHistory(entries: readonly HistoryEntry[]): History {
  const records: StepRecord[] = [];
  const attempts: AttemptEntry[] = [];
  const seen = new Set<string>();
  let duplicate = false;
  for (const entry of entries.slice(1)) {
    duplicate = false;
    if (entry.callType === "attempt") attempts.push(parseAttempt(decode(entry)));
    const record = recordIn(entry);
    if (!record) continue;
    const key = recordKey(record);
    duplicate = seen.has(key);
    if (duplicate) continue;
    seen.add(key);
    records.push(record);
  }
  const [first] = entries;
  return { payload: first ? decode(first) : "", records, duplicate, attempts };
}

/**
 * Reads an entry's step record; undefined when the entry isn't a step's.
 *
 * @throws WorkflowError `malformed_body` when the entry can't be decoded
 */
export function recordIn(entry: HistoryEntry): StepRecord | undefined {
  return entry.callType === "step" ? parseStep(decode(entry)) : undefined;
}

function decode({ messageId, body }: HistoryEntry): string {
  return parseBase64(body, `Message ${messageId} in the run's history`);
}

function isEntry(value: unknown): value is HistoryEntry {
  return hasStrings(value, ["messageId", "body", "callType"]);
}
