import type { Attempt, Rollback, RunRef, Step } from "../api/types.ts";

export type PartKind = "work" | "wait" | "backoff";

/** A part of a step's time. */
export interface Part {
  readonly kind: PartKind;
  readonly from: number;
  readonly to: number;
}

/** A step in the waterfall. Times are milliseconds since 1970. */
export interface Row {
  readonly key: string;
  readonly step: Step;
  readonly name: string;
  readonly from: number;
  readonly to: number;
  readonly parts: readonly Part[];
  /** The failed attempts. */
  readonly failures: readonly Attempt[];
  /** True while the step isn't at its end. */
  readonly isOpen: boolean;
  /** Steps with one number ran side by side. */
  readonly group: number | undefined;
  /** Rows of one delivery stand in one bracket: `first`, `middle` and `last` of it. */
  readonly bracket: "first" | "middle" | "last" | undefined;
  /** 0 for the run's own steps, 1 for those of a run that it has invoked, and so on. */
  readonly depth: number;
  /** True for a rollback of a step. */
  readonly isRollback: boolean;
}

/** Kinds of steps whose time is a wait and not work. */
const WAITS: ReadonlySet<string> = new Set([
  "SleepFor",
  "SleepUntil",
  "Wait",
  "WaitForWebhook",
  "Invoke",
  "Call",
]);

interface Frame {
  /** The run's start, milliseconds since 1970. */
  readonly start: number;
  /** The run's end, or the time now. */
  readonly end: number;
}

/** Places steps in time: each begins when what stood before it had ended. */
export function toRows(steps: readonly Step[], { start, end }: Frame): Row[] {
  const rows: Row[] = [];
  let last = start;
  let group: number | undefined;
  let groupStart = start;
  for (const [at, step] of steps.entries()) {
    if (step.stepType === "Initial") continue;
    if (step.group === undefined || step.group !== group) groupStart = last;
    group = step.group;
    const row = toRow(step, { start: step.group === undefined ? last : groupStart, end }, at);
    rows.push(row);
    // Steps that are under way don't wait for each other.
    if (!row.isOpen) last = Math.max(last, row.to);
  }
  return rows.map((row, at) => ({ ...row, bracket: bracketOf(rows, at) }));
}

function toRow(step: Step, { start, end }: Frame, at: number): Row {
  const failures = step.errors ?? [];
  const isOpen = step.state === "STEP_PROGRESS" || step.state === "STEP_RETRY";
  const to = Math.max(endOf(step, isOpen, end), failures.at(-1)?.time ?? 0);
  const from = Math.min(step.startedAt ?? start, failures[0]?.time ?? Number.POSITIVE_INFINITY, to);
  return {
    key: `${step.stepId ?? "next"}:${step.messageId}:${at}`,
    step,
    name: step.stepName ?? (failures.length > 0 ? "the workflow's code" : "the next step"),
    from,
    to,
    parts: partsOf(step, from, to),
    failures,
    isOpen,
    group: step.group,
    bracket: undefined,
    depth: 0,
    isRollback: false,
  };
}

/** Places the rollbacks after the failure, in their order. The engine may not know when one ended. */
export function toRollbackRows(rollbacks: readonly Rollback[], failedAt: number): Row[] {
  let last = failedAt;
  return rollbacks.map(({ stepId, stepName, stepType, state, time, error }, at) => {
    const from = last;
    const to = Math.max(from, time ?? from);
    last = to;
    const errors = error ? [{ error: error.message, body: JSON.stringify(error), status: 0, time: to }] : [];
    return {
      key: `rollback:${stepId}:${at}`,
      step: {
        stepName,
        stepType,
        messageId: "",
        state: state === "done" ? "STEP_SUCCESS" : "STEP_FAILED",
        errors,
      },
      name: stepName,
      from,
      to,
      parts: [{ kind: "work", from, to }],
      failures: errors,
      isOpen: false,
      group: undefined,
      bracket: undefined,
      depth: 0,
      isRollback: true,
    };
  });
}

/** A run that a step has invoked, once it is loaded. */
export interface LoadedChild {
  readonly steps: readonly Step[];
  readonly start: number;
  readonly end: number;
}

/** The run that a step has invoked. */
export function childOf({
  invokedWorkflowRunId: id,
  invokedWorkflowCreatedAt: at,
}: Step): RunRef | undefined {
  return id === undefined || at === undefined ? undefined : { workflowRunId: id, workflowRunCreatedAt: at };
}

export function childKey({ workflowRunId: id, workflowRunCreatedAt: at }: RunRef): string {
  return `${id}@${at}`;
}

/** Puts the steps of the loaded children below the steps that have invoked them. */
export function nest(rows: readonly Row[], children: ReadonlyMap<string, LoadedChild>): Row[] {
  if (children.size === 0) return [...rows];
  return rows.flatMap((row) => {
    const run = childOf(row.step);
    const child = run && children.get(childKey(run));
    if (!run || !child) return [row];
    const own = toRows(child.steps, child).map((one) => ({
      ...one,
      key: `${childKey(run)}/${one.key}`,
      depth: row.depth + 1,
    }));
    return [row, ...nest(own, children)];
  });
}

function endOf(step: Step, isOpen: boolean, end: number): number {
  if (step.startedAt !== undefined && step.durationMs !== undefined) return step.startedAt + step.durationMs;
  const until = sleepEnd(step);
  if (until !== undefined) return until;
  return isOpen || step.createdAt === undefined ? end : step.createdAt;
}

/** When a sleep ends. Its record is made when it begins. */
function sleepEnd({ sleepUntil, sleepFor, createdAt }: Step): number | undefined {
  const until = Number(sleepUntil);
  // The wire has seconds.
  if (sleepUntil !== undefined && Number.isFinite(until)) return until < 1e11 ? until * 1000 : until;
  const seconds = Number(sleepFor);
  return sleepFor !== undefined && createdAt !== undefined && Number.isFinite(seconds)
    ? createdAt + seconds * 1000
    : undefined;
}

/** Between two failed attempts the run backs off; the first part and the last are attempts. */
function partsOf(step: Step, from: number, to: number): Part[] {
  const kind = WAITS.has(step.stepType ?? "") ? "wait" : "work";
  const [first, ...later] = step.errors ?? [];
  if (!first) return [{ kind, from, to }];
  const failures = [first, ...later];
  const last = failures.at(-1)?.time ?? to;
  return [
    { kind, from, to: first.time },
    ...later.map(({ time }, at): Part => ({ kind: "backoff", from: failures[at]?.time ?? time, to: time })),
    ...(to > last ? [{ kind: step.state === "STEP_RETRY" ? "backoff" : kind, from: last, to } as const] : []),
  ];
}

function bracketOf(rows: readonly Row[], at: number): Row["bracket"] {
  const delivery = rows[at]?.step.invocation;
  if (delivery === undefined) return undefined;
  const above = at > 0 && rows[at - 1]?.step.invocation === delivery;
  const below = rows[at + 1]?.step.invocation === delivery;
  if (above) return below ? "middle" : "last";
  return below ? "first" : undefined;
}

/** Maps times to a place from 0 to 1. */
export interface Scale {
  readonly place: (time: number) => number;
  /** Waits that are drawn shorter than they are. */
  readonly cuts: readonly Stretch[];
}

interface Stretch {
  readonly from: number;
  readonly to: number;
}

/** A wait that is drawn shorter gets this share of the time in which something was done. */
const CUT_SHARE = 0.24;
/** All of these waits together get this share at most. */
const MAX_CUT_SHARE = 0.6;
/** Waits shorter than this share of what longer ones leave stay as they are. */
const MIN_WAIT_SHARE = 0.15;

/** Chooses the waits that are drawn shorter: none where they leave nothing else to see. */
function cutsOf(idle: readonly Stretch[], whole: number): readonly Stretch[] {
  const busy = idle.reduce((left, { from, to }) => left - (to - from), whole);
  if (busy < 1) return [];
  let left = whole;
  const cuts = idle
    .toSorted((one, other) => other.to - other.from - (one.to - one.from))
    .filter(({ from, to }) => {
      const isLong = to - from > left * MIN_WAIT_SHARE;
      if (isLong) left -= to - from;
      return isLong;
    });
  return cuts.sort((one, other) => one.from - other.from);
}

/** Makes a scale from the run's start to its end, on which long stretches of pure waiting are short. */
export function toScale(rows: readonly Row[], { start, end }: Frame): Scale {
  const cuts = cutsOf(idleStretches(rows, { start, end }), end - start);
  const idle = cuts.reduce((sum, { from, to }) => sum + to - from, 0);
  const active = Math.max(1, end - start - idle);
  const cut = active * Math.min(CUT_SHARE, MAX_CUT_SHARE / cuts.length);
  const drawn = active + cuts.length * cut;
  return {
    cuts,
    place(time) {
      let length = Math.min(Math.max(time, start), end) - start;
      for (const { from, to } of cuts) {
        if (time <= from) break;
        const passed = Math.min(time, to) - from;
        length -= passed - (passed / (to - from)) * cut;
      }
      return Math.min(1, Math.max(0, length / drawn));
    },
  };
}

/** A label of the axis takes this share of it, at most. */
const LABEL_SHARE = 0.36;

/** Chooses the labels of the axis that don't overlap: of the cuts, from the left, and of the end. */
export function toLabels({ cuts, place }: Scale): { readonly cuts: Scale["cuts"]; readonly hasEnd: boolean } {
  let free = 0;
  const shown = cuts.filter(({ from }) => {
    const fits = place(from) >= free && place(from) <= 1 - LABEL_SHARE;
    if (fits) free = place(from) + LABEL_SHARE;
    return fits;
  });
  return { cuts: shown, hasEnd: free <= 1 - LABEL_SHARE };
}

/** The stretches in which no step was at work. */
function idleStretches(rows: readonly Row[], { start, end }: Frame): Stretch[] {
  const busy = rows
    .flatMap(({ parts }) => parts.filter(({ kind }) => kind === "work"))
    .sort((one, other) => one.from - other.from);
  const stretches: Stretch[] = [];
  let last = start;
  for (const { from, to } of busy) {
    if (from > last) stretches.push({ from: last, to: from });
    last = Math.max(last, to);
  }
  if (end > last) stretches.push({ from: last, to: end });
  return stretches;
}
