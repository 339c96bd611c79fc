/**
 * The keys under which a run's history records things. No two entries of a run share a key, so a request that comes twice
 * is recorded once. Every key is `kind:step`, where `step` is the id of the step's result, for a call whose headers name
 * no step the id of its message, and for an attempt what `attemptKey()` makes of its step.
 *
 * | kind | who records it | the step is pending until |
 * | --- | --- | --- |
 * | `result` | the endpoint; for a wait, a sleep or an invocation the engine | – |
 * | `plan` | the endpoint, for each step of a parallel group; inline, for each step that the engine does or that begins at most once | its `result` is recorded |
 * | `call` | the endpoint, for a request to a third party | its `answer` is recorded |
 * | `answer` | the engine, when the third party has answered | its `result` is recorded |
 * | `attempt` | the endpoint or the engine, for a step that ran inline and failed | – |
 */
export type RecordKind = "result" | "plan" | "call" | "answer" | "attempt";

/** The key of a record. */
export function keyOf(kind: RecordKind, step: number | string): string {
  return `${kind}:${step}`;
}

export function isKeyOf(kind: RecordKind, key: string): boolean {
  return key.startsWith(`${kind}:`);
}

/** The id of the step that a key names. */
export function stepOfKey(key: string): string {
  return key.slice(key.indexOf(":") + 1);
}

/** The pattern for SQL's `LIKE` that every key of a kind matches. */
export function keyPattern(kind: RecordKind): string {
  return `${kind}:%`;
}
