import type { StepRecord, StepType } from "@perdure/core/protocol";

/** The fields that a record of some kinds has, in addition to those of every record. */
export type KindField = keyof Pick<StepRecord, "sleepFor" | "sleepUntil" | "waitEventId" | "waitTimeout">;

/** The engine's rules for a kind of step. */
export interface StepKind {
  /**
   * The side that records the result. `engine, if inline`: the engine in a run that its endpoint runs inline,
   * and the endpoint in every other run.
   */
  readonly recordedBy: "endpoint" | "engine" | "engine, if inline";
  /**
   * The place where the step is pending until then: a delivery, a call's message, the row of a wait, or a
   * child run.
   */
  readonly pendingIn: "delivery" | "call" | "wait" | "child";
  /** The fields of its record that the run's log shows. */
  readonly fields: readonly KindField[];
  /**
   * A further effect of its record: the run sleeps until the record's delivery, or the webhook's address
   * opens.
   */
  readonly effect?: "sleep" | "webhook";
  /** The thing that ends a wait: an event, or a request to the webhook. */
  readonly awaits?: "event" | "request";
}

/**
 * Every kind of step, by its name on the wire. To add a kind, add its row here; the endpoint's side of it is
 * a file in `packages/core/src/steps`.
 */
export const STEP_KINDS: Readonly<Record<StepType, StepKind>> = {
  Run: { recordedBy: "endpoint", pendingIn: "delivery", fields: [] },
  SleepFor: {
    recordedBy: "engine, if inline",
    pendingIn: "delivery",
    fields: ["sleepFor"],
    effect: "sleep",
  },
  SleepUntil: {
    recordedBy: "engine, if inline",
    pendingIn: "delivery",
    fields: ["sleepUntil"],
    effect: "sleep",
  },
  Call: { recordedBy: "engine, if inline", pendingIn: "call", fields: [] },
  Wait: { recordedBy: "engine", pendingIn: "wait", fields: ["waitEventId", "waitTimeout"], awaits: "event" },
  WaitForWebhook: {
    recordedBy: "engine",
    pendingIn: "wait",
    fields: ["waitEventId", "waitTimeout"],
    awaits: "request",
  },
  Notify: { recordedBy: "endpoint", pendingIn: "delivery", fields: [] },
  Invoke: { recordedBy: "engine", pendingIn: "child", fields: [] },
  CreateWebhook: { recordedBy: "endpoint", pendingIn: "delivery", fields: [], effect: "webhook" },
};

/** The kind of the step that a call's headers name. */
export const CALL: StepType = "Call";

const UNKNOWN: StepKind = { recordedBy: "endpoint", pendingIn: "delivery", fields: [] };

/** The kind of a step. A client that is newer than the engine may name a kind that isn't in the table. */
export function kindOf(type: string): StepKind {
  const kinds: Readonly<Record<string, StepKind>> = STEP_KINDS;
  return (Object.hasOwn(kinds, type) && kinds[type]) || UNKNOWN;
}

/** Whether a record is that of a sleep, or its plan. */
export function isSleep({ stepType }: Pick<StepRecord, "stepType">): boolean {
  return kindOf(stepType).effect === "sleep";
}

/** The fields of a record that belong to its kind. */
export function fieldsOf(record: StepRecord): Pick<StepRecord, KindField> {
  const given = kindOf(record.stepType).fields.filter((field) => record[field] !== undefined);
  return Object.fromEntries(given.map((field) => [field, record[field]]));
}
