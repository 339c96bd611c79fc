import { messageOf, WorkflowError } from "../kernel/errors.ts";
import type { StepRecord, StepType } from "../protocol/step.ts";

/** A step as the workflow asks for it: what it is called, how it is carried out, and how its record is read. */
export interface Step<Result = unknown> {
  readonly name: string;
  readonly type: StepType;
  /** What plans and records of this kind carry beside the common fields. */
  readonly fields?: Pick<StepRecord, "sleepFor" | "sleepUntil">;
  /** When the engine is to deliver the record, or the plan of a member of a group. */
  readonly schedule?: Schedule;
  /** Does the work. Absent when the record alone is the work. @returns the result as JSON text */
  readonly perform?: () => Promise<string | undefined>;
  readonly read: (record: StepRecord) => Result;
}

export interface Schedule {
  readonly delay?: string;
  /** Unix time in seconds. */
  readonly notBefore?: number;
}

/** @throws TypeError when a step could not be found again by this name */
export function checkName(name: unknown): asserts name is string {
  if (typeof name === "string" && name.trim() !== "") return;
  const got = typeof name === "string" ? "an empty text" : typeof name;
  throw new TypeError(`A step needs a name, a text that isn't empty, as its first argument; got ${got}.`);
}

/**
 * The result as it is recorded.
 *
 * @throws WorkflowError `not_serializable` for what JSON can't carry
 */
export function serialize(result: unknown, what: string): string | undefined {
  try {
    return JSON.stringify(result);
  } catch (cause) {
    throw new WorkflowError(
      "not_serializable",
      `${what} can't be stored as JSON: ${messageOf(cause)}. Return plain values, and turn others (BigInt, circular objects) into them first.`,
      { cause },
    );
  }
}

/**
 * What a record holds, as the workflow sees it; `undefined` when there is nothing.
 *
 * @throws WorkflowError `malformed_body` when it isn't JSON
 */
export function deserialize(record: StepRecord): unknown {
  if (record.out === undefined) return undefined;
  try {
    return JSON.parse(record.out);
  } catch (cause) {
    throw new WorkflowError(
      "malformed_body",
      `The recorded result of step "${record.stepName}" isn't JSON.`,
      { cause },
    );
  }
}
