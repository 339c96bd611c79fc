import { isKeyOf, isPlan, keyOf, resultId, type StepRecord, stepOfKey } from "@perdure/core/protocol";
import { toText } from "../rules/bytes.ts";
import { readRecord, recordOf } from "../rules/record.ts";
import type { Run } from "../rules/run.ts";
import { StepGroups } from "../rules/step-groups.ts";
import type { PendingMessage, RecordedEntry, RunChoice, RunLog } from "../store/lists.ts";
import { FIRST_RECORD, mayNameCall, recordsOf } from "../store/tables/entries.ts";
import { toMessage } from "../store/tables/rows.ts";
import { chosenRun } from "../store/tables/runs.ts";
import { type Sql, sql, strings, type Tx } from "../store/tx.ts";
import { page } from "./conditions.ts";
import {
  byKey,
  childrenOf,
  ENTRY,
  type EntryRow,
  failuresOf,
  messagesOf,
  rollbacksOfRuns,
  shownMessages,
  toRecordedEntry,
  waitsOf,
} from "./read.ts";

/** The part of a run's steps that a page shows. */
export interface StepsQuery extends RunChoice {
  readonly count: number;
  /** {@link StepsPage.next} of the previous page. */
  readonly after?: number | undefined;
}

/** A page of a run's steps, in the order of its history. */
export interface StepsPage {
  /** The run, with as much of its log as the steps of this page need. */
  readonly log: RunLog;
  /** The keys of the entries to show: the payload, and results. */
  readonly shown: readonly string[];
  /** The groups of steps that ran side by side, by the ids of the steps. */
  readonly groups: ReadonlyMap<number, number>;
  /** The position of the next page. The last page has none, and shows the steps without a result, too. */
  readonly next: number | undefined;
}

/** Results before a page that say to which group its first steps belong. */
const RESULTS_BEFORE = 50;

/**
 * A page of a run's steps. The number of statements doesn't depend on the number of steps, and no page reads
 * results that it doesn't show.
 *
 * @throws EngineError `not_found`
 */
export async function runSteps(tx: Tx, query: StepsQuery): Promise<StepsPage> {
  const run = await chosenRun(tx, query);
  const reader = new StepReader(tx, run);
  const { rows, next } = await reader.results(query);
  const isLast = next === undefined;
  const plans = await reader.entries(recordsOf("plan"));
  const results = await reader.resultPositions(plans);
  const attempts = await reader.entries(recordsOf("attempt"));
  const pending = isLast ? await reader.pending() : [];
  const shown = rows.map(({ record }) => record);
  const open = plans.filter(({ record }) => !results.has(stepOfKey(record)));
  const steps = new Set([...shown, ...(isLast ? open.map(({ record }) => record) : [])].map(stepOfKey));
  const entries = [
    ...rows,
    ...plans.filter(({ record }) => steps.has(stepOfKey(record))),
    ...(await reader.calls(steps, pending)),
    ...attempts,
    ...(isLast ? await reader.resultsAfter(attempts, shown) : []),
  ];
  return {
    log: await reader.log({ entries, pending, isLast }),
    shown,
    groups: toGroups(await reader.before(query), rows, { plans, results }),
    next,
  };
}

interface Plans {
  readonly plans: readonly EntryRow[];
  /** The positions of their results, by the ids of their steps. */
  readonly results: ReadonlyMap<string, number>;
}

/** Finds the groups of a page's steps, from the results before the page, its own, and the plans. */
function toGroups(
  before: readonly EntryRow[],
  rows: readonly EntryRow[],
  { plans, results }: Plans,
): Map<number, number> {
  const first = before[0]?.position ?? 0;
  const relevant = plans.filter(
    ({ record, position }) =>
      position >= first || (results.get(stepOfKey(record)) ?? Number.POSITIVE_INFINITY) >= first,
  );
  const groups = new StepGroups();
  const found = new Map<number, number>();
  const history = [...before, ...rows, ...relevant].sort((a, b) => a.position - b.position);
  for (const { record: key, position, body } of history) {
    if (key === FIRST_RECORD) continue;
    const record = readRecord(toText(body));
    const group = groups.next(record, position);
    if (group !== undefined) found.set(resultId(record), group);
  }
  return alone(found, history);
}

/** Leaves out groups of one step: the steps beside it have no record yet. */
function alone(groups: Map<number, number>, history: readonly EntryRow[]): Map<number, number> {
  const sizes = new Map<number, number>();
  for (const group of groups.values()) sizes.set(group, (sizes.get(group) ?? 0) + 1);
  const planned = new Set(
    history.filter(({ record }) => isKeyOf("plan", record)).map(({ record }) => stepOfKey(record)),
  );
  return new Map([...groups].filter(([id, group]) => (sizes.get(group) ?? 0) > 1 || planned.has(String(id))));
}

interface LogParts {
  readonly entries: readonly EntryRow[];
  readonly pending: readonly PendingMessage[];
  readonly isLast: boolean;
}

/** Reads what the log of one run shows of its steps. */
class StepReader {
  readonly #tx: Tx;
  readonly #run: Run;

  constructor(tx: Tx, run: Run) {
    this.#tx = tx;
    this.#run = run;
  }

  entries(where: Sql): Promise<EntryRow[]> {
    return this.#tx.many<EntryRow>(
      sql`SELECT ${ENTRY} FROM entries WHERE run = ${this.#run.key} AND ${where} ORDER BY position`,
    );
  }

  /** The payload and the results of a page. */
  async results({
    after = 0,
    count,
  }: StepsQuery): Promise<{ rows: readonly EntryRow[]; next: number | undefined }> {
    const rows = await this.#tx.many<EntryRow>(
      sql`SELECT ${ENTRY} FROM entries WHERE run = ${this.#run.key} AND position > ${after}
        AND (record = ${FIRST_RECORD} OR (${recordsOf("result")})) ORDER BY position LIMIT ${count + 1}`,
    );
    return page(
      rows,
      count,
      ({ position }) => position,
      ({ body }) => ({ bytes: body.length }),
    );
  }

  /** The last results before a page. */
  async before({ after = 0 }: StepsQuery): Promise<EntryRow[]> {
    if (after === 0) return [];
    const rows = await this.#tx.many<EntryRow>(
      sql`SELECT ${ENTRY} FROM entries WHERE run = ${this.#run.key} AND position <= ${after} AND ${recordsOf("result")}
        ORDER BY position DESC LIMIT ${RESULTS_BEFORE}`,
    );
    return rows.reverse();
  }

  async resultPositions(plans: readonly EntryRow[]): Promise<Map<string, number>> {
    if (plans.length === 0) return new Map();
    const keys = plans.map(({ record }) => keyOf("result", stepOfKey(record)));
    const rows = await this.#tx.many<{ record: string; position: number }>(
      sql`SELECT record, position FROM entries WHERE run = ${this.#run.key} AND record IN (${strings(keys)})`,
    );
    return new Map(rows.map(({ record, position }) => [stepOfKey(record), position]));
  }

  /** Results that aren't on the page and may be those of steps that have failed before. */
  async resultsAfter(attempts: readonly EntryRow[], shown: readonly string[]): Promise<EntryRow[]> {
    const [first] = attempts;
    if (!first) return [];
    const known = new Set(shown);
    const rows = await this.entries(sql`position > ${first.position} AND ${recordsOf("result")}`);
    return rows.filter(({ record }) => !known.has(record));
  }

  async calls(steps: ReadonlySet<string>, pending: readonly PendingMessage[]): Promise<EntryRow[]> {
    const keys = [...steps].map((id) => keyOf("call", id));
    const ids = pending.filter(({ message }) => message.kind === "call").map(({ message }) => message.id);
    return this.entries(sql`(record IN (${strings(keys)}) OR
      (${recordsOf("call")} AND message IN (${strings(ids)})))`);
  }

  async pending(): Promise<PendingMessage[]> {
    const rows = (await shownMessages(this.#tx, [this.#run.key])).filter(({ kind }) => kind !== "cancel");
    const failures = await failuresOf(this.#tx, rows);
    return rows.map((one) => ({ message: toMessage(one), failures: failures.get(one.seq) ?? [] }));
  }

  async log({ entries, pending, isLast }: LogParts): Promise<RunLog> {
    const { key } = this.#run;
    const keys = strings(entries.map(({ record }) => record));
    const unrecorded = (column: Sql): Sql =>
      sql`NOT EXISTS (SELECT 1 FROM entries WHERE entries.run = ${key} AND entries.record = ${column})`;
    const which = (column: Sql): Sql =>
      isLast ? sql`${column} IN (${keys}) OR ${unrecorded(column)}` : sql`${column} IN (${keys})`;
    const { waits, sleeps } = await waitsOf(this.#tx, [key], which(sql`waiters.record`));
    const children = await childrenOf(this.#tx, [key], which(sql`parent_record`));
    const callIds = entries.filter(({ call_type: callType, record }) => mayNameCall(callType, record));
    const calls = await messagesOf(this.#tx, { seqs: [], ids: callIds.map(({ message }) => message) });
    return {
      run: this.#run,
      entries: byKey(entries.map(toRecordedEntry)),
      messages: pending,
      failure: undefined,
      cancel: undefined,
      rollbacks: (await rollbacksOfRuns(this.#tx, [key])).get(key) ?? [],
      calls: new Map(
        [...calls.values()].filter(({ kind }) => kind === "call").map((one) => [one.id, toMessage(one)]),
      ),
      waits: waits.get(key) ?? new Map(),
      sleeps: sleeps.get(key) ?? new Map(),
      children: children.get(key) ?? new Map(),
    };
  }
}

/** The plans of a page's log whose steps have no result, in their order. */
export function openPlans({
  log,
}: StepsPage): { readonly entry: RecordedEntry; readonly record: StepRecord }[] {
  return [...log.entries.values()]
    .filter(({ key }) => isKeyOf("plan", key) && !log.entries.has(keyOf("result", stepOfKey(key))))
    .map((entry) => ({ entry, record: recordOf(entry) }))
    .filter(({ record }) => isPlan(record) && record.concurrent > 1);
}
