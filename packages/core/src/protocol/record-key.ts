/**
 * The kinds of keys under which a run's history records its entries. No two entries of a run share a key, so a request that
 * comes twice is recorded once. Each key is `kind:step`, where `step` is the id of the step's result; for a call whose headers
 * name no step, it is the id of the call's message, and for a failed attempt the step's kind, place, attempt and name.
 *
 * | kind | recorded by | the step is pending until |
 * | --- | --- | --- |
 * | `result` | the endpoint; for a wait, a sleep or an invocation the engine | – |
 * | `plan` | the endpoint, for each step of a parallel group; inline, for each step that the engine does or that begins at most once | its `result` is recorded |
 * | `call` | the endpoint, for a request to a third party | its `answer` is recorded |
 * | `answer` | the engine, when the third party has answered | its `result` is recorded |
 * | `attempt` | the endpoint or the engine, for a step that failed inline | – |
 */
export type RecordKind = "result" | "plan" | "call" | "answer" | "attempt";

/**
 * Returns the key of a step's entry.
 *
 * @example
 * ```ts
 * keyOf("result", 3); // "result:3"
 * ```
 */
export function keyOf(kind: RecordKind, step: number | string): string {
  return `${kind}:${step}`;
}

/**
 * True for a key of this kind.
 *
 * @example
 * ```ts
 * isKeyOf("plan", "plan:3"); // true
 * ```
 */
export function isKeyOf(kind: RecordKind, key: string): boolean {
  return key.startsWith(keyOf(kind, ""));
}

/**
 * Returns the id of the step that a key names.
 *
 * @example
 * ```ts
 * stepOfKey("result:3"); // "3"
 * ```
 */
export function stepOfKey(key: string): string {
  return key.slice(key.indexOf(":") + 1);
}
