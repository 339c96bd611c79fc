import {
  type HistoryEntry,
  parseStep,
  type StepRecord,
  textFromBase64,
  toStep,
} from "@perdure/core/protocol";

/**
 * Reads a step record of every known client. Older clients put the result itself into `out` where today's put
 * its JSON, and Python's write `null` for every field that a record doesn't have.
 *
 * @throws WorkflowError `malformed_body` when the string isn't a step record
 */
export function readRecord(json: string): StepRecord {
  return parseStep(json, modernise);
}

/** Reads the step record of a history's entry, as {@link readRecord} does. */
export function recordOf({ body }: Pick<HistoryEntry, "body">): StepRecord {
  return readRecord(textFromBase64(body));
}

/** Reads a step record from parsed JSON, as {@link readRecord} does from a string. */
export function toRecord(value: unknown, json: string): StepRecord {
  return toStep(modernise(value), json);
}

function modernise(value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  const { out, ...fields } = value as Readonly<Record<string, unknown>>;
  const given = Object.entries(fields).filter(([, field]) => field !== null);
  const result = out === undefined || typeof out === "string" ? out : JSON.stringify(out);
  return Object.fromEntries(result === undefined ? given : [...given, ["out", result]]);
}
