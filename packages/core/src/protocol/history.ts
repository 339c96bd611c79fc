import { hasStrings } from "../util/check.ts";
import { WorkflowError } from "../util/errors.ts";
import { malformed, parseBase64, parseJson } from "./parse.ts";
import { parseStep, recordKey, type StepRecord } from "./step.ts";

/**
 * What an entry is: the payload or a step's record, a request to a third party, the answer to one, or a failed attempt
 * of a step that ran inline.
 */
export type CallType = "step" | "toCallback" | "fromCallback" | "attempt";

/** A history as it travels: oldest first, in a delivery's body or in the engine's answer to a fetch. */
export interface HistoryEntry {
  readonly messageId: string;
  /** Base64 of the bytes. The first entry's are the payload, the other steps' a {@link StepRecord} in JSON. */
  readonly body: string;
  readonly callType: CallType;
}

/** What one delivery may know of its run. */
export interface History {
  /** The initial payload as it was sent; empty when there was none. */
  readonly payload: string;
  /** In the order they were recorded, each key once: the first record wins. */
  readonly records: readonly StepRecord[];
  /** The delivered entry repeats an earlier one: whatever it asks for has been done. */
  readonly duplicate: boolean;
}

/** @throws WorkflowError `malformed_body` when the text isn't a list of entries */
export function parseHistory(json: string): HistoryEntry[] {
  const what = "The run's history";
  const value = parseJson(what, json);
  if (!isHistory(value)) throw malformed(what, "isn't a list of entries", json);
  return value;
}

/** True for a list of entries, of which there is always a first one. */
export function isHistory(value: unknown): value is HistoryEntry[] {
  return Array.isArray(value) && value.length > 0 && value.every(isEntry);
}

/**
 * The part of a fetched history that a delivery may see: up to and with the entry that is delivered.
 * What came later belongs to other deliveries, which may be under way at the same time.
 *
 * @throws WorkflowError `engine_refused` when the history doesn't hold the message: the engine may not have it yet
 */
export function cutAfter(entries: readonly HistoryEntry[], messageId: string): readonly HistoryEntry[] {
  if (entries.length === 1) return entries;
  const at = entries.findIndex((entry) => entry.messageId === messageId);
  if (at >= 0) return entries.slice(0, at + 1);
  throw missingMessage(messageId);
}

/** The engine's history of a run isn't complete. */
export function missingMessage(messageId: string | undefined): WorkflowError {
  return new WorkflowError(
    "engine_refused",
    `The engine's history of the run has no message "${messageId}".`,
  );
}

/** @throws WorkflowError `malformed_body` when an entry can't be decoded */
export function readHistory(entries: readonly HistoryEntry[]): History {
  const records: StepRecord[] = [];
  const seen = new Set<string>();
  let duplicate = false;
  for (const entry of entries.slice(1)) {
    duplicate = false;
    if (entry.callType !== "step") continue;
    const record = parseStep(decode(entry));
    const key = recordKey(record);
    duplicate = seen.has(key);
    if (duplicate) continue;
    seen.add(key);
    records.push(record);
  }
  const [first] = entries;
  return { payload: first ? decode(first) : "", records, duplicate };
}

function decode({ messageId, body }: HistoryEntry): string {
  return parseBase64(body, `Message ${messageId} in the run's history`);
}

function isEntry(value: unknown): value is HistoryEntry {
  return hasStrings(value, ["messageId", "body", "callType"]);
}
