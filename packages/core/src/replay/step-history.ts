import type { FailedStep } from "../protocol/error.ts";
import { isPlan, resultId, type StepRecord, type StepType } from "../protocol/step.ts";

/** The place of one step in a run's history. */
export interface StepEntry {
  readonly id: number;
  readonly name: string;
  readonly type: StepType;
  readonly group: Group;
  /** Whether the step has a rollback. */
  readonly rollback: boolean;
  result: StepRecord | undefined;
  /**
   * The step was recorded before a step in front of it was rolled back and ran anew, in a run that was resumed: with
   * another result there, the workflow may take another branch.
   */
  optional: boolean;
}

/** The step of an entry, without its internal fields. */
export function toFailedStep({ id, name, type }: Pick<StepEntry, "id" | "name" | "type">): FailedStep {
  return { id, name, type };
}

/** Steps that the workflow requested together. A single step is a group of one. */
export interface Group {
  readonly size: number;
  /** In the order their results were recorded, so that a race has the same winner in each replay. */
  readonly finished: StepEntry[];
}

/** The work that the delivered entry requires. */
export type Phase =
  /** Everything recorded is finished: go on with the workflow. */
  | { readonly kind: "advance" }
  /** Run one planned member of a group. */
  | { readonly kind: "member"; readonly entry: StepEntry }
  /** A member has finished, others haven't: the delivery of the last one continues the workflow. */
  | { readonly kind: "wait" };

export interface StepHistory {
  /** In the order of their ids. */
  readonly entries: readonly StepEntry[];
  /** The id of the next new step. */
  readonly nextId: number;
  /** Ids below `nextId` of steps that must run again, because they were rolled back. */
  readonly rolledBack: readonly number[];
  readonly phase: Phase;
}

/** Orders a run's records into steps and groups. */
export function readStepHistory(records: readonly StepRecord[]): StepHistory {
  const entries = new Map<number, StepEntry>();
  const groupOf = new Map<number, Group>();
  let nextId = 1;
  const open = (record: StepRecord): StepEntry => {
    const id = resultId(record);
    const { stepName: name, stepType: type } = record;
    let group = groupOf.get(id);
    if (!group) {
      // A group's plans are recorded together and in order, so its first one is where its ids begin.
      const size = isPlan(record) ? record.concurrent : 1;
      group = { size, finished: [] };
      nextId = Math.max(nextId, id + size);
      for (let member = id; member < id + size; member++) groupOf.set(member, group);
    }
    return { id, name, type, group, rollback: record.rollback === true, result: undefined, optional: false };
  };
  for (const record of records) {
    const entry = entries.get(resultId(record)) ?? open(record);
    entries.set(entry.id, entry);
    if (isPlan(record) || entry.result) continue;
    entry.result = record;
    entry.group.finished.push(entry);
  }
  let lowest = nextId;
  // Only a step that runs anew is recorded by itself behind steps that follow it.
  for (const record of records.toReversed()) {
    const entry = entries.get(resultId(record)) as StepEntry;
    if (entry.id > lowest) entry.optional = true;
    else if (record.concurrent === 1) lowest = entry.id;
  }
  const last = records.at(-1);
  const phase = phaseAt(last && entries.get(resultId(last)));
  const rolledBack: number[] = [];
  for (let id = 1; id < nextId; id++) if (!groupOf.has(id)) rolledBack.push(id);
  return { entries: [...entries.values()].sort((a, b) => a.id - b.id), nextId, rolledBack, phase };
}

function phaseAt(delivered: StepEntry | undefined): Phase {
  if (!delivered || delivered.group.finished.length === delivered.group.size) return { kind: "advance" };
  return delivered.result ? { kind: "wait" } : { kind: "member", entry: delivered };
}
