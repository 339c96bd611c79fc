import type { FailedStep } from "../protocol/error.ts";
import { isPlan, resultId, type StepRecord, type StepType } from "../protocol/step.ts";

/** The place of one step in a run's history. */
export interface StepEntry {
  readonly id: number;
  readonly name: string;
  readonly type: StepType;
  /** The same as in {@link StepRecord}. */
  readonly nth: number | undefined;
  readonly group: Group;
  /** True if the step has a rollback. */
  readonly rollback: boolean;
  result: StepRecord | undefined;
  /**
   * In a resumed run, an earlier step was rolled back, and runs again after this step was recorded: with
   * another result, the workflow may take another branch.
   */
  optional: boolean;
}

/** The step of an entry, without its internal fields. */
export function toFailedStep({ id, name, type }: Pick<StepEntry, "id" | "name" | "type">): FailedStep {
  return { id, name, type };
}

/** Steps that the workflow requested together. A single step, or one that runs inline, is a group of one. */
export interface Group {
  readonly size: number;
  /** The finished steps, in the order of their results, so that a race has the same winner in each replay. */
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
  /** All entries, in the order of their ids. */
  readonly entries: readonly StepEntry[];
  /** The entries with a result, in the order in which their results were recorded. */
  readonly results: readonly StepEntry[];
  /** The id of the next new step. */
  readonly nextId: number;
  /** Ids below `nextId` of steps that must run again, because they were rolled back. */
  readonly rolledBack: readonly number[];
  readonly phase: Phase;
}

/** Orders a run's records into steps and groups. */
export function readStepHistory(records: readonly StepRecord[]): StepHistory {
  const entries = new Map<number, StepEntry>();
  const openings: [StepEntry, StepRecord][] = [];
  const groupOf = new Map<number, Group>();
  const results: StepEntry[] = [];
  let nextId = 1;
  const open = (record: StepRecord): StepEntry => {
    const id = resultId(record);
    let group = groupOf.get(id);
    if (!group) {
      // A group's plans are recorded together and in order, so its first one is where its ids begin.
      const size = isPlan(record) ? record.concurrent : 1;
      group = { size, finished: [] };
      nextId = Math.max(nextId, id + size);
      for (let member = id; member < id + size; member++) groupOf.set(member, group);
    }
    const entry = newEntry(record, group);
    entries.set(id, entry);
    openings.push([entry, record]);
    return entry;
  };
  for (const record of records) {
    const entry = entries.get(resultId(record)) ?? open(record);
    if (isPlan(record) || entry.result) continue;
    entry.result = record;
    entry.group.finished.push(entry);
    results.push(entry);
  }
  const rolledBack: number[] = [];
  for (let id = 1; id < nextId; id++) if (!groupOf.has(id)) rolledBack.push(id);
  let lowest = rolledBack[0] ?? nextId;
  // Only a step that runs again is recorded alone after steps that follow it.
  for (const [entry, { concurrent }] of openings.reverse()) {
    if (entry.id > lowest) entry.optional = true;
    else if (concurrent === 1) lowest = entry.id;
  }
  const last = records.at(-1);
  const phase = phaseAt(last && entries.get(resultId(last)));
  const ordered = [...entries.values()].sort((a, b) => a.id - b.id);
  return { entries: ordered, results, nextId, rolledBack, phase };
}

/** The place of a record that opens it. */
export function newEntry(record: StepRecord, group: Group = { size: 1, finished: [] }): StepEntry {
  const { stepName: name, stepType: type, rollback = false, nth } = record;
  return { id: resultId(record), name, type, nth, group, rollback, result: undefined, optional: false };
}

function phaseAt(delivered: StepEntry | undefined): Phase {
  const { size, finished } = delivered?.group ?? { size: 1 };
  // The plan of a single step was recorded inline: the step is already running, so its delivery doesn't begin
  // it.
  if (!delivered || size === 1 || finished?.length === size) return { kind: "advance" };
  return delivered.result ? { kind: "wait" } : { kind: "member", entry: delivered };
}
