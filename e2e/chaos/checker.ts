import type { Answer, Call, Event, FinalRun, RunView, What } from "./history.ts";
import { keyFaults, queueFaults, scheduleFaults } from "./lane-rules.ts";
import { endsOf, eventOf, FAILS, type Leaf, leavesOf, type Program, TIMED_OUT } from "./program.ts";
import type { PromiseNumber } from "./promises.ts";

/** A part of a history that a promise doesn't allow. */
export interface Violation {
  readonly promise: PromiseNumber;
  /** The run, the message, the queue, the flow control key, or the schedule. */
  readonly of: string;
  readonly text: string;
}

/** What a history shows, beside its violations. None of these numbers is wrong: work may be done twice. */
export interface Figures {
  readonly runs: Readonly<Record<string, number>>;
  readonly steps: number;
  /** Steps whose work began more than once, without those that failed on purpose. */
  readonly stepsTwice: number;
  readonly failureFunctionsTwice: number;
  readonly rollbacksTwice: number;
  readonly messagesTwice: number;
  /** Attempts to deliver messages of queues and flow control keys. */
  readonly attempts: number;
  /** Messages that schedules have made. */
  readonly ticks: number;
  /** Requests whose answers were lost or refused. */
  readonly unanswered: number;
  readonly faults: Readonly<Record<string, number>>;
}

export interface Verdict {
  readonly violations: readonly Violation[];
  readonly figures: Figures;
}

const TERMINAL: ReadonlySet<string> = new Set(["RUN_SUCCESS", "RUN_FAILED", "RUN_CANCELED"]);

type Of<E extends What["e"]> = Extract<Event, { e: E }>;

/** A request with its answer; `undefined` where none came before the history's end. */
interface Asked {
  readonly call: Call;
  readonly answer: Answer | undefined;
}

/** The events that concern one run. */
interface RunHistory {
  readonly id: string;
  readonly program: Program;
  readonly asked: readonly Asked[];
  readonly work: readonly Of<"work">[];
  readonly made: readonly Of<"made">[];
  readonly seen: readonly Of<"see">[];
  readonly undone: readonly Of<"undo">[];
  readonly told: readonly Of<"told">[];
  readonly children: readonly Of<"child">[];
  readonly log: FinalRun | undefined;
}

/** Decides whether a history is one that the promises allow. */
export function check(events: readonly Event[]): Verdict {
  const asked = askedIn(events);
  const runs = runsIn(events, asked);
  const violations = [
    ...runs.flatMap((run) =>
      RULES.flatMap(([promise, rule]) => [...rule(run)].map((text) => ({ promise, of: run.id, text }))),
    ),
    ...messageViolations(events, asked),
    ...([14, 15, 16] as const).flatMap((promise) =>
      [...SHARED_RULES[promise](events)].map(([of, text]) => ({ promise, of, text })),
    ),
  ];
  return { violations, figures: figuresOf(events, asked, runs) };
}

/** The promises about what messages share. */
const SHARED_RULES = { 14: queueFaults, 15: keyFaults, 16: scheduleFaults } as const;

type Rule = (run: RunHistory) => Iterable<string>;

const RULES: readonly (readonly [PromiseNumber, Rule])[] = [
  [1, isKept],
  [2, isOne],
  [3, endsOnce],
  [4, endsAsItsCodeSays],
  [5, keepsResults],
  [6, hasSources],
  [7, tellsFailure],
  [8, isRolledBack],
  [9, isCancelledAsAsked],
  [10, getsEvents],
  [11, invokesOnce],
  [12, keepsKeys],
  [13, beginsAtMostOnce],
];

function* isKept({ asked, log }: RunHistory): Iterable<string> {
  if (isAcknowledged(asked, "trigger") && !log) yield "the engine acknowledged the run, and doesn't know it";
}

function* isOne({ asked, log }: RunHistory): Iterable<string> {
  if (!log) return;
  if (log.runs !== 1) yield `the engine has ${log.runs} runs with this id`;
  for (const { createdAt } of viewsOf(asked))
    if (createdAt !== log.createdAt) yield `the run was created at ${createdAt}, and at ${log.createdAt}`;
}

function* endsOnce({ asked, log }: RunHistory): Iterable<string> {
  if (!log) return;
  if (!TERMINAL.has(log.state)) yield `it is ${log.state} when everything has ended`;
  const end = shown(log);
  for (const view of viewsOf(asked))
    if (TERMINAL.has(view.state) && shown(view) !== end) yield `it ended as ${shown(view)}, and as ${end}`;
}

function* endsAsItsCodeSays({ program, log }: RunHistory): Iterable<string> {
  const ends = endsOf(program);
  if (log?.state === "RUN_FAILED" && !ends.has(FAILS)) yield "it failed, and its program can't fail";
  if (log?.state !== "RUN_SUCCESS") return;
  const result = JSON.parse(log.result ?? "null");
  if (!ends.has(result) || result === FAILS) yield `its program doesn't return ${log.result}`;
}

function* keepsResults({ seen, work, log }: RunHistory): Iterable<string> {
  for (const [step, ofStep] of grouped(seen)) {
    // A step begins only when the results before it are on record. The last results of an invocation may not be.
    const recorded = ofStep.filter(({ by, t }) => work.some((begun) => begun.by === by && begun.t > t));
    const values = [...new Set(recorded.map(({ value }) => value))];
    if (values.length > 1) yield `step ${step} had the results ${values.join(" | ")}`;
    const [first] = values;
    if (!log || first === undefined) continue;
    const result = log.results[step];
    if (result === undefined)
      yield `the workflow went on with "${first}" of step ${step}, and nothing is on record`;
    else if (result !== first)
      yield `the workflow went on with "${first}" of step ${step}, and ${result} is on record`;
  }
}

function* hasSources({ program, asked, seen, made, work }: RunHistory): Iterable<string> {
  for (const [path, leaf] of leavesOf(program)) {
    for (const { value, t } of seen.filter(({ step }) => step === path)) {
      const sources = sourcesOf([path, leaf], asked, made);
      if (sources && !sources.some((source) => source.value === value && source.t <= t))
        yield `nothing before has made the result "${value}" of step ${path}`;
    }
  }
  for (const { step, t } of made)
    if (!work.some((begun) => begun.step === step && begun.t <= t))
      yield `step ${step} ended without a beginning`;
}

interface Source {
  readonly value: string;
  readonly t: number;
}

/** What a step's result may be; `undefined` for a step whose source isn't part of the history. */
function sourcesOf(
  [path, leaf]: Leaf,
  asked: readonly Asked[],
  made: readonly Of<"made">[],
): Source[] | undefined {
  const always = (value: string): Source => ({ value, t: 0 });
  switch (leaf.kind) {
    case "step":
      return made.filter(({ step }) => step === path);
    case "event": {
      const sent = asked.flatMap(({ call }) =>
        call.name === "notify" && call.step === path ? [always(call.data)] : [],
      );
      return [...sent, always(TIMED_OUT)];
    }
    case "child":
      return [always(leaf.fails ? "child failed" : "child")];
    case "sleep":
    case "call":
      return undefined;
    default:
      return leaf satisfies never;
  }
}

function* tellsFailure({ told, log }: RunHistory): Iterable<string> {
  if (!log) return;
  if (log.state !== "RUN_FAILED") {
    if (told.length > 0) yield `its failure function ran, and it is ${log.state}`;
    if (log.deadLetters > 0) yield `it is ${log.state}, and has ${log.deadLetters} dead letters`;
    return;
  }
  if (told.length === 0) yield "it failed, and its failure function never ran to its end";
  if (new Set(told.map(({ failureId }) => failureId)).size > 1)
    yield "its failure function was told of several failures";
  if (log.failureFunction !== "CALLBACK_SUCCESS")
    yield `its failure function is ${log.failureFunction} on record`;
  if (log.deadLetters !== 1) yield `it failed, and has ${log.deadLetters} dead letters`;
}

function* isRolledBack({ program, seen, work, undone, log }: RunHistory): Iterable<string> {
  if (!log) return;
  if (log.state !== "RUN_FAILED") {
    for (const { step } of undone) yield `step ${step} was rolled back, and the run is ${log.state}`;
    return;
  }
  const withRollback = leavesOf(program).filter(([, leaf]) => leaf.kind === "step" && leaf.rollback);
  for (const [path] of withRollback) {
    const [result, first] = [firstOf(seen, path), firstOf(undone, path)];
    if (path in log.results && !first) yield `step ${path} is on record, and wasn't rolled back`;
    if (!first || !result) continue;
    for (const [other] of withRollback) {
      const [later, undoneLater] = [firstOf(work, other), firstOf(undone, other)];
      if (later && undoneLater && later.t > result.t && undoneLater.t > first.t)
        yield `step ${other} began after step ${path}, and was rolled back after it`;
    }
  }
}

function* isCancelledAsAsked({ asked, log }: RunHistory): Iterable<string> {
  const cancels = asked.filter(({ call }) => call.name === "cancel");
  const counted = cancels.some(({ answer }) => answer?.ok && answer.cancelled === 1);
  if (counted && log && log.state !== "RUN_CANCELED")
    yield `its cancellation was acknowledged, and it is ${log.state}`;
  if (cancels.length === 0 && log?.state === "RUN_CANCELED")
    yield "it was cancelled, and nobody asked for that";
}

function* getsEvents({ id, asked, seen, log }: RunHistory): Iterable<string> {
  for (const { call, answer } of asked) {
    if (call.name !== "notify" || !answer?.ok || !answer.waiters) continue;
    const [found] = seen.filter(({ step }) => step === call.step);
    const recorded = log?.results[call.step];
    const event = eventOf(id, call.step);
    if (found && found.value !== call.data)
      yield `${event} "${call.data}" was acknowledged, and the step saw "${found.value}"`;
    if (log && recorded === undefined)
      yield `${event} "${call.data}" was acknowledged, and nothing is on record`;
  }
}

function* invokesOnce({ children }: RunHistory): Iterable<string> {
  for (const [step, ofStep] of grouped(children.map((event) => ({ ...event, step: event.step })))) {
    const runs = [...new Set(ofStep.map(({ run }) => run))];
    if (runs.length > 1) yield `step ${step} invoked ${runs.join(" and ")}`;
  }
}

function* keepsKeys({ work }: RunHistory): Iterable<string> {
  const steps = new Map<string, string>();
  for (const [step, ofStep] of grouped(work)) {
    const keys = [...new Set(ofStep.map(({ key }) => key))];
    if (keys.length > 1) yield `step ${step} had the keys ${keys.join(" and ")}`;
    for (const key of keys) {
      const other = steps.get(key);
      if (other !== undefined && other !== step) yield `steps ${other} and ${step} have the same key ${key}`;
      steps.set(key, step);
    }
  }
}

function* beginsAtMostOnce({ program, work }: RunHistory): Iterable<string> {
  for (const [path, leaf] of leavesOf(program)) {
    const count = work.filter(({ step }) => step === path).length;
    if (leaf.kind === "step" && leaf.once && count > 1)
      yield `step ${path} began ${count} times, though at most once`;
  }
}

function messageViolations(events: readonly Event[], asked: readonly Asked[]): Violation[] {
  const arrived = new Set(
    events.flatMap((event) =>
      event.e === "message" || (event.e === "end" && event.ok) ? [event.message] : [],
    ),
  );
  return asked.flatMap(({ call, answer }) =>
    call.name === "publish" && answer?.ok && !arrived.has(call.message)
      ? [
          {
            promise: 1,
            of: call.message,
            text: "the engine acknowledged the message, and never delivered it",
          } as const,
        ]
      : [],
  );
}

function askedIn(events: readonly Event[]): Asked[] {
  const answers = new Map(
    events.flatMap((event) => (event.e === "answer" ? [[event.op, event.answer]] : [])),
  );
  return events.flatMap((event) =>
    event.e === "call" ? [{ call: event.call, answer: answers.get(event.op) }] : [],
  );
}

/** The histories of the runs that clients started; a child run belongs to its parent's. */
function runsIn(events: readonly Event[], asked: readonly Asked[]): RunHistory[] {
  const programs = new Map(
    asked.flatMap(({ call }) => (call.name === "trigger" ? [[call.run, call.program] as const] : [])),
  );
  const of = <E extends What["e"]>(e: E) => events.filter((event): event is Of<E> => event.e === e);
  const byRun = <T extends { readonly run: string }>(list: readonly T[]) => groupBy(list, ({ run }) => run);
  const [work, made, seen, undone, told, logs] = [
    byRun(of("work")),
    byRun(of("made")),
    byRun(of("see")),
    byRun(of("undo")),
    byRun(of("told")),
    byRun(of("final")),
  ];
  const children = groupBy(of("child"), ({ parent }) => parent);
  const requests = groupBy(asked, ({ call }) => ("run" in call ? call.run : ""));
  return [...programs].map(([id, program]) => ({
    id,
    program,
    asked: requests.get(id) ?? [],
    work: work.get(id) ?? [],
    made: made.get(id) ?? [],
    seen: seen.get(id) ?? [],
    undone: undone.get(id) ?? [],
    told: told.get(id) ?? [],
    children: children.get(id) ?? [],
    log: logs.get(id)?.at(-1)?.log,
  }));
}

function figuresOf(events: readonly Event[], asked: readonly Asked[], runs: readonly RunHistory[]): Figures {
  const steps = runs.flatMap(({ program, work }) => {
    const failing = new Map(
      leavesOf(program).map(([path, leaf]) => [path, leaf.kind === "step" ? leaf.failures : 0]),
    );
    return [...grouped(work)].map(([step, ofStep]) => ofStep.length - (failing.get(step) ?? 0));
  });
  const twice = (counts: readonly number[]): number => counts.filter((count) => count > 1).length;
  const messages = groupBy(
    events.filter((event) => event.e === "message"),
    ({ message }) => message,
  );
  const faults = groupBy(
    events.filter((event) => event.e === "fault"),
    ({ what }) => what,
  );
  return {
    runs: countsOf(groupBy(runs, ({ log }) => log?.state ?? "unknown")),
    steps: steps.length,
    stepsTwice: twice(steps),
    failureFunctionsTwice: twice(runs.map(({ told }) => told.length)),
    rollbacksTwice: twice(
      runs.flatMap(({ undone }) => [...grouped(undone)].map(([, ofStep]) => ofStep.length)),
    ),
    messagesTwice: twice([...messages.values()].map((ofMessage) => ofMessage.length)),
    attempts: events.filter(({ e }) => e === "begin").length,
    ticks: events.reduce((sum, event) => sum + (event.e === "ticks" ? event.ticks.length : 0), 0),
    unanswered: asked.filter(({ answer }) => !answer?.ok).length,
    faults: countsOf(faults),
  };
}

function groupBy<T, Key>(list: readonly T[], keyOf: (one: T) => Key): Map<Key, T[]> {
  const groups = new Map<Key, T[]>();
  for (const one of list) {
    const group = groups.get(keyOf(one));
    if (group) group.push(one);
    else groups.set(keyOf(one), [one]);
  }
  return groups;
}

function countsOf(groups: ReadonlyMap<string, readonly unknown[]>): Record<string, number> {
  return Object.fromEntries([...groups].map(([name, group]) => [name, group.length]));
}

function grouped<T extends { readonly step: string }>(events: readonly T[]): Map<string, T[]> {
  return groupBy(events, ({ step }) => step);
}

function firstOf<T extends { readonly step: string }>(events: readonly T[], path: string): T | undefined {
  return events.find(({ step }) => step === path);
}

function isAcknowledged(asked: readonly Asked[], name: Call["name"]): boolean {
  return asked.some(({ call, answer }) => call.name === name && answer?.ok);
}

function viewsOf(asked: readonly Asked[]): RunView[] {
  return asked.flatMap(({ answer }) => (answer?.ok && answer.view ? [answer.view] : []));
}

function shown({ state, result }: RunView): string {
  return result === undefined ? state : `${state} ${result}`;
}
