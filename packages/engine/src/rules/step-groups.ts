import { isPlan, resultId, type StepRecord } from "@perdure/core/protocol";

/** Steps that ran inline, side by side. */
interface Group {
  /** The position in the history that names the group. */
  readonly id: number;
  /** The position of its last result. */
  readonly last: number;
  /** The latest end of a member's work, by the endpoint's clock. */
  readonly end: number;
}

/**
 * Finds the steps that ran side by side, from the records of a history in their order. A group is named by a
 * position in the history.
 *
 * - Without inline execution, a group's plans are on record together and in order, and `concurrent` is its size.
 * - A step that ran inline says in its record whether other steps were pending. Such steps that follow each other
 *   belong together while their times overlap, or while the engine works on a step that began before them.
 */
export class StepGroups {
  /** Groups of planned steps, by the ids of their results. */
  readonly #planned = new Map<number, number>();
  /** Positions of the plans that the engine works on, by the ids of their results. */
  readonly #working = new Map<number, number>();
  #lastResult = 0;
  #group: Group | undefined;

  /**
   * Reads the next record.
   *
   * @returns the group of its step; `undefined` for a plan, and for a step that ran alone
   */
  next(record: StepRecord, position: number): number | undefined {
    const { concurrent } = record;
    if (concurrent > 1) return this.#ofPlans(record, position);
    if (!isPlan(record)) return this.#ofResult(record, position);
    this.#working.set(resultId(record), position);
    return undefined;
  }

  #ofPlans(record: StepRecord, position: number): number {
    const id = resultId(record);
    if (!this.#planned.has(id)) {
      for (let member = id; member < id + record.concurrent; member++) this.#planned.set(member, position);
    }
    this.#lastResult = position;
    return this.#planned.get(id) ?? position;
  }

  #ofResult(
    { stepId, parallel, startedAt = Number.POSITIVE_INFINITY, durationMs = 0 }: StepRecord,
    position: number,
  ): number | undefined {
    const begun = this.#working.get(stepId) ?? position;
    this.#working.delete(stepId);
    const isShared = parallel || this.#working.size > 0 || begun < this.#lastResult;
    this.#lastResult = position;
    const previous = this.#group;
    this.#group = undefined;
    if (!isShared) return undefined;
    const first = Math.min(begun, ...this.#working.values());
    const end = Number.isFinite(startedAt) ? startedAt + durationMs : 0;
    const group =
      previous && (first < previous.last || startedAt <= previous.end)
        ? { ...previous, last: position, end: Math.max(previous.end, end) }
        : { id: first, last: position, end };
    this.#group = group;
    return group.id;
  }
}
