import {
  type AttemptEntry,
  type InlineAttempt,
  keyOf,
  type StepKey,
  type StepRecord,
} from "@perdure/core/protocol";
import { toText } from "./bytes.ts";
import { decideRetry } from "./retry.ts";

/** The policy by which a run retries steps that have none of their own. */
export interface StepPolicy {
  readonly retries: number;
  /** An expression; without it, the engine's backoff applies. */
  readonly retryDelay: string | undefined;
}

/**
 * The key under which a run records a failed attempt of a step that ran inline: a step has no id before it
 * has a result.
 *
 * @param attempt 1 for the first
 */
export function attemptKey(step: StepKey, attempt: number): string {
  return `${attemptPrefix(step)}${attempt}/${toKeyPart(step.name)}`;
}

/** Characters of a step's name in a key. A name may have any length, and an index of PostgreSQL takes about 2700 bytes. */
const MAX_NAME_IN_KEY = 500;

function toKeyPart(name: string): string {
  if (name.length <= MAX_NAME_IN_KEY) return name;
  return `${name.slice(0, MAX_NAME_IN_KEY)}… ${name.length} ${hashOf(name)}`;
}

/** A hash of 64 bits (FNV-1a over two states): names that begin alike differ by it. */
function hashOf(name: string): string {
  let [one, other] = [0x811c9dc5, 0x01000193];
  for (let at = 0; at < name.length; at++) {
    const code = name.charCodeAt(at);
    one = Math.imul(one ^ code, 0x01000193);
    other = Math.imul(other ^ code, 0x5bd1e995);
  }
  return `${one >>> 0}-${other >>> 0}`;
}

/**
 * Returns the prefix of the keys of a step's attempts. Steps with other names, of the same kind and number,
 * share it.
 */
export function attemptPrefix({ type, nth }: Pick<StepKey, "type" | "nth">): string {
  return keyOf("attempt", `${type}/${nth}/`);
}

/** Reads a failed attempt from the body of its entry. */
export function readAttempt(body: Uint8Array): AttemptEntry {
  return JSON.parse(toText(body)) as AttemptEntry;
}

/** Returns a string that identifies a step within its run. */
export function stepIdentity({ type, nth, name }: StepKey): string {
  return `${type}/${nth}/${name}`;
}

/** The step of a record. */
export function stepKeyOf({ stepName, stepType, nth = 1 }: StepRecord): StepKey {
  return { name: stepName, type: stepType, nth };
}

/**
 * Decides whether to retry a step after a failed attempt: by the step's own options, then by the run's
 * policy.
 */
export function decideAttempt(attempt: InlineAttempt, policy: StepPolicy, now: number): AttemptEntry {
  const { attempt: made, retries = policy.retries, delayMs, final } = attempt;
  const decision = decideRetry({
    at: now,
    retried: made - 1,
    retries,
    final: final === true,
    retryDelay: policy.retryDelay,
    wait: delayMs,
  });
  return decision.kind === "retry" ? { ...attempt, retryAt: decision.at } : attempt;
}

/** A failed attempt or a result, in the order of the history. */
export type StepEvent =
  | { readonly kind: "attempt"; readonly entry: AttemptEntry }
  | { readonly kind: "result"; readonly record: StepRecord };

/**
 * Returns the attempts that a retry will follow: the last attempt of each step without a result, unless it is
 * final.
 */
export function openRetries(events: readonly StepEvent[]): AttemptEntry[] {
  const open = new Map<string, AttemptEntry>();
  for (const event of events) {
    if (event.kind === "attempt") open.set(stepIdentity(event.entry.step), event.entry);
    else open.delete(stepIdentity(stepKeyOf(event.record)));
  }
  return [...open.values()].filter(({ retryAt }) => retryAt !== undefined);
}
