import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { check } from "../chaos/checker.ts";
import type { Event, FinalRun, Lane, What } from "../chaos/history.ts";
import { endsOf, FAILS, makeProgram, type Program } from "../chaos/program.ts";
import { PROMISES } from "../chaos/promises.ts";
import { seeded } from "./support/seed.ts";

const RUN = "wfr_1";
const step = (more: object = {}): Program =>
  ({ kind: "step", failures: 0, final: false, rollback: false, once: false, ...more }) as Program;
const sequence = (...parts: Program[]): Program => ({ kind: "sequence", parts });

/** Two steps and a wait for an event. */
const PROGRAM = sequence(
  step(),
  step({ rollback: true }),
  { kind: "event", notified: true },
  step({ once: true }),
);
const RESULT = '"(0.0 0.1 waited 0.3)"';

const work = (name: string, by = "a", key = `key ${name}`): What => ({
  e: "work",
  run: RUN,
  step: name,
  key,
  by,
});
const made = (name: string, value = `value ${name}`): What => ({ e: "made", run: RUN, step: name, value });
const see = (name: string, value = `value ${name}`, by = "a"): What => ({
  e: "see",
  run: RUN,
  step: name,
  value,
  by,
});
const done = (name: string): What[] => [work(name), made(name), see(name)];
const undo = (name: string): What => ({ e: "undo", run: RUN, step: name });
const told: What = { e: "told", run: RUN, failureId: "dlq_1" };
const triggered = (program: Program = PROGRAM): What[] => [
  { e: "call", op: 1, call: { name: "trigger", run: RUN, program } },
  { e: "answer", op: 1, answer: { ok: true } },
];
const notified: What[] = [
  { e: "call", op: 2, call: { name: "notify", run: RUN, step: "0.2", data: "yes" } },
  { e: "answer", op: 2, answer: { ok: true, waiters: 1 } },
];
const read = (state: string, result?: string, createdAt = 5): What[] => [
  { e: "call", op: 3, call: { name: "read", run: RUN } },
  { e: "answer", op: 3, answer: { ok: true, view: { state, result, createdAt } } },
];
const cancel = (cancelled: number): What[] => [
  { e: "call", op: 4, call: { name: "cancel", run: RUN } },
  { e: "answer", op: 4, answer: { ok: true, cancelled } },
];
const RESULTS = { "0.0": "value 0.0", "0.1": "value 0.1", "0.2": "yes", "0.3": "value 0.3" };
const final = (more: Partial<FinalRun> = {}): What => ({
  e: "final",
  run: RUN,
  log: {
    state: "RUN_SUCCESS",
    result: RESULT,
    createdAt: 5,
    results: RESULTS,
    deadLetters: 0,
    runs: 1,
    ...more,
  },
});

/** A history without a fault: each event a millisecond after the one before. */
function historyOf(...whats: readonly What[]): Event[] {
  return whats.map((what, t) => ({ ...what, t }));
}

const STEPS = [...done("0.0"), ...done("0.1"), ...notified, see("0.2", "yes"), ...done("0.3")];
const GOOD = [...triggered(), ...STEPS, ...read("RUN_SUCCESS", RESULT), final()];

/** A run that fails after a step that is rolled back. */
const FAILING = sequence(step({ rollback: true }), step({ rollback: true }), step({ final: true }));
const FAILED_LOG = {
  state: "RUN_FAILED",
  result: undefined,
  failureFunction: "CALLBACK_SUCCESS",
  results: { "0.0": "value 0.0", "0.1": "value 0.1" },
  deadLetters: 1,
};
const UP_TO_FAILURE = [...triggered(FAILING), ...done("0.0"), ...done("0.1"), work("0.2")];
const ROLLED_BACK = [...UP_TO_FAILURE, undo("0.1"), undo("0.0")];

const violations = (...whats: readonly What[]): [number, string][] =>
  check(historyOf(...whats)).violations.map(({ promise, text }) => [promise, text]);

describe("the checker of histories", () => {
  it("finds nothing wrong with a run that succeeds, fails, or is cancelled", () => {
    expect(violations(...GOOD)).toEqual([]);
    expect(violations(...ROLLED_BACK, told, final(FAILED_LOG))).toEqual([]);
    const cancelled = { state: "RUN_CANCELED", result: undefined, results: { "0.0": "value 0.0" } };
    expect(violations(...triggered(), ...done("0.0"), ...cancel(1), final(cancelled))).toEqual([]);
  });

  it("allows what isn't promised: work that is done twice, and answers that are lost", () => {
    // The endpoint died with a result that wasn't on record; nothing else had begun.
    const again = [work("0.0", "b"), made("0.0", "other"), see("0.0", "other", "b"), work("0.1", "b")];
    const rest = [made("0.1"), see("0.1", "value 0.1", "b"), ...notified, see("0.2", "yes", "b")];
    const last = [work("0.3", "b"), made("0.3"), see("0.3", "value 0.3", "b")];
    const results = { ...RESULTS, "0.0": "other" };
    const lost: What[] = [
      { e: "call", op: 9, call: { name: "cancel", run: RUN } },
      { e: "fault", what: "kill -9 of the endpoint" },
    ];
    const history = historyOf(
      ...triggered(),
      ...done("0.0"),
      ...lost,
      ...again,
      ...rest,
      ...last,
      final({ results }),
    );
    const { violations: found, figures } = check(history);
    expect(found).toEqual([]);
    expect(figures).toEqual({
      runs: { RUN_SUCCESS: 1 },
      steps: 3,
      stepsTwice: 1,
      failureFunctionsTwice: 0,
      rollbacksTwice: 0,
      messagesTwice: 0,
      attempts: 0,
      ticks: 0,
      unanswered: 1,
      faults: { "kill -9 of the endpoint": 1 },
    });
  });

  it.each<[number, string, readonly What[], RegExp]>([
    [1, "a run is lost", triggered(), /acknowledged the run, and doesn't know it/],
    [
      1,
      "a message is lost",
      [
        { e: "call", op: 1, call: { name: "publish", message: "m" } },
        { e: "answer", op: 1, answer: { ok: true } },
      ],
      /acknowledged the message, and never delivered it/,
    ],
    [2, "there are two runs", [...triggered(), ...STEPS, final({ runs: 2 })], /has 2 runs with this id/],
    [
      2,
      "a run takes another one's place",
      [...triggered(), ...STEPS, ...read("RUN_STARTED", undefined, 4), final()],
      /created at 4, and at 5/,
    ],
    [
      3,
      "a run doesn't end",
      [...triggered(), final({ state: "RUN_STARTED", result: undefined, results: {} })],
      /it is RUN_STARTED/,
    ],
    [
      3,
      "a run ends twice",
      [...triggered(), ...STEPS, ...read("RUN_FAILED"), final()],
      /it ended as RUN_FAILED, and as RUN_SUCCESS/,
    ],
    [
      3,
      "a run has two results",
      [...triggered(), ...STEPS, ...read("RUN_SUCCESS", '"other"'), final()],
      /it ended as RUN_SUCCESS "other", and as RUN_SUCCESS/,
    ],
    [
      4,
      "a run has another result",
      [...triggered(), ...STEPS, final({ result: '"(0.0)"' })],
      /doesn't return "\(0\.0\)"/,
    ],
    [
      4,
      "a run fails that can't",
      [...triggered(), ...done("0.0"), told, final({ ...FAILED_LOG, results: { "0.0": "value 0.0" } })],
      /its program can't fail/,
    ],
    [
      5,
      "a recorded result changes between invocations",
      [
        ...triggered(),
        ...done("0.0"),
        work("0.1"),
        ...[work("0.0", "b"), made("0.0", "other"), see("0.0", "other", "b"), work("0.1", "b"), made("0.1")],
        ...[see("0.1"), ...notified, see("0.2", "yes"), ...done("0.3"), final()],
      ],
      /step 0\.0 had the results value 0\.0 \| other/,
    ],
    [
      5,
      "a recorded result changes on disk",
      [...triggered(), ...STEPS, final({ results: { ...RESULTS, "0.0": "other" } })],
      /went on with "value 0\.0" of step 0\.0, and other is on record/,
    ],
    [
      5,
      "a recorded result vanishes",
      [...triggered(), ...STEPS, final({ results: { ...RESULTS, "0.0": undefined } as never })],
      /went on with "value 0\.0" of step 0\.0, and nothing is on record/,
    ],
    [
      6,
      "a result comes from nowhere",
      [...triggered(), see("0.0"), ...STEPS, final()],
      /nothing before has made the result "value 0\.0"/,
    ],
    [
      6,
      "a step ends that never began",
      [...triggered(), made("0.0"), ...STEPS, final()],
      /step 0\.0 ended without a beginning/,
    ],
    [
      7,
      "nobody is told of a failure",
      [...ROLLED_BACK, final(FAILED_LOG)],
      /its failure function never ran to its end/,
    ],
    [
      7,
      "the failure function isn't on record",
      [...ROLLED_BACK, told, final({ ...FAILED_LOG, failureFunction: "CALLBACK_FAIL" })],
      /its failure function is CALLBACK_FAIL on record/,
    ],
    [
      7,
      "the dead letter is missing",
      [...ROLLED_BACK, told, final({ ...FAILED_LOG, deadLetters: 0 })],
      /has 0 dead letters/,
    ],
    [
      7,
      "one failure counts as two",
      [...ROLLED_BACK, told, { e: "told", run: RUN, failureId: "dlq_2" }, final(FAILED_LOG)],
      /was told of several failures/,
    ],
    [
      7,
      "a run succeeds after its failure function",
      [...triggered(), ...STEPS, told, final()],
      /its failure function ran, and it is RUN_SUCCESS/,
    ],
    [
      7,
      "a run succeeds with a dead letter",
      [...triggered(), ...STEPS, final({ deadLetters: 1 })],
      /and has 1 dead letters/,
    ],
    [
      8,
      "a step isn't rolled back",
      [...UP_TO_FAILURE, undo("0.1"), told, final(FAILED_LOG)],
      /step 0\.0 is on record, and wasn't rolled back/,
    ],
    [
      8,
      "steps are rolled back in their order",
      [...UP_TO_FAILURE, undo("0.0"), undo("0.1"), told, final(FAILED_LOG)],
      /step 0\.1 began after step 0\.0, and was rolled back after it/,
    ],
    [
      8,
      "a run is rolled back that succeeded",
      [...triggered(), ...STEPS, undo("0.1"), final()],
      /was rolled back, and the run is RUN_SUCCESS/,
    ],
    [
      9,
      "a cancellation is forgotten",
      [...triggered(), ...STEPS, ...cancel(1), final()],
      /acknowledged, and it is RUN_SUCCESS/,
    ],
    [
      9,
      "a run is cancelled by nobody",
      [...triggered(), final({ state: "RUN_CANCELED", result: undefined, results: {} })],
      /nobody asked for that/,
    ],
    [
      10,
      "another event arrives",
      [
        ...triggered(),
        ...done("0.0"),
        ...done("0.1"),
        ...notified,
        see("0.2", "timed out"),
        ...done("0.3"),
        final({ results: { ...RESULTS, "0.2": "timed out" } }),
      ],
      /"yes" was acknowledged, and the step saw "timed out"/,
    ],
    [
      10,
      "an event is lost",
      [
        ...triggered(),
        ...notified,
        ...cancel(1),
        final({ state: "RUN_CANCELED", result: undefined, results: {} }),
      ],
      /"yes" was acknowledged, and nothing is on record/,
    ],
    [
      11,
      "a step invokes two runs",
      [
        ...GOOD,
        { e: "child", run: "wfr_2", parent: RUN, step: "0.1" },
        { e: "child", run: "wfr_3", parent: RUN, step: "0.1" },
      ],
      /step 0\.1 invoked wfr_2 and wfr_3/,
    ],
    [
      12,
      "a key changes",
      [...triggered(), work("0.0", "b", "another"), ...STEPS, final()],
      /step 0\.0 had the keys another and key 0\.0/,
    ],
    [
      12,
      "two steps have one key",
      [...triggered(), work("0.0", "b", "key 0.1"), ...STEPS, final()],
      /steps 0\.0 and 0\.1 have the same key/,
    ],
    [
      13,
      "a step begins twice",
      [...triggered(), work("0.3", "b"), ...STEPS, final()],
      /step 0\.3 began 2 times, though at most once/,
    ],
  ])("finds promise %i broken when %s", (promise, _when, whats, text) => {
    const found = violations(...whats);
    expect(found.filter(([of]) => of === promise).map(([, said]) => said)).toContainEqual(
      expect.stringMatching(text),
    );
  });
});

/** Attempts of messages in a lane: each with the times of its beginning and its end, and whether it succeeds. */
function laneHistory(
  lane: Lane,
  attempts: readonly (readonly [string, number, number, boolean?])[],
): Event[] {
  const messages = [...new Set(attempts.map(([message]) => message))].sort();
  const published = messages.flatMap((message, at): Event[] => [
    { e: "call", op: at, call: { name: "publish", message, lane: lane.name }, t: -2 },
    { e: "answer", op: at, answer: { ok: true }, t: -1 },
  ]);
  const events = attempts.flatMap(([message, from, to, ok = true], at): Event[] => [
    { e: "begin", lane: lane.name, message, by: `${at}`, t: from },
    ...(Number.isFinite(to) ? [{ e: "end", lane: lane.name, message, by: `${at}`, ok, t: to } as const] : []),
  ]);
  return [{ e: "lane", lane, t: -3 }, ...published, ...events.sort((a, b) => a.t - b.t)];
}

const shared = (events: readonly Event[]): [number, string][] =>
  check(events).violations.map(({ promise, text }) => [promise, text]);

describe("the checker of what messages share", () => {
  const one = { kind: "queue", name: "one", parallelism: 1 } as const;
  const two = { kind: "queue", name: "two", parallelism: 2 } as const;
  const key = { kind: "parallelism", name: "key", parallelism: 1 } as const;
  const rate = { kind: "rate", name: "rate", rate: 2, periodMs: 1000 } as const;
  const lost = Number.NaN;
  const kill = (t: number): Event => ({ e: "fault", what: "kill -9 of the endpoint", t });

  it("finds nothing wrong with a queue whose messages are tried again, and wait for each other", () => {
    expect(
      shared(
        laneHistory(one, [
          ["a", 0, 5, false],
          ["a", 7, lost],
          ["a", 20, 25],
          ["b", 26, 30],
        ]),
      ),
    ).toEqual([]);
    // An endpoint that dies after its work does it again.
    expect(
      shared(
        laneHistory(one, [
          ["a", 0, 5],
          ["a", 7, 9],
          ["b", 10, 30],
        ]),
      ),
    ).toEqual([]);
    expect(
      shared(
        laneHistory(two, [
          ["a", 0, 50],
          ["b", 1, 9],
          ["c", 10, 30],
        ]),
      ),
    ).toEqual([]);
  });

  it.each<[string, Event[], RegExp]>([
    [
      "a message overtakes another one",
      laneHistory(one, [
        ["b", 0, 5],
        ["a", 6, 9],
      ]),
      /"b" was accepted after "a", and arrived before it/,
    ],
    [
      "two are on their way in a queue with one place",
      laneHistory(one, [
        ["a", 0, 9],
        ["b", 5, 12],
      ]),
      /2 were on their way when "b" arrived, and 1 may be: a, b/,
    ],
    [
      "the next one comes between two attempts",
      laneHistory(one, [
        ["a", 0, 5, false],
        ["b", 6, 8],
        ["a", 9, 10],
      ]),
      /2 were on their way/,
    ],
    [
      "three are on their way where two may be",
      laneHistory(two, [
        ["a", 0, 9],
        ["b", 1, 9],
        ["c", 8, 9],
      ]),
      /3 were on their way when "c" arrived, and 2 may be/,
    ],
  ])("finds a queue broken when %s", (_when, events, text) => {
    expect(shared(events)).toContainEqual([14, expect.stringMatching(text)]);
  });

  it("counts attempts of a flow control key, and not the time between them", () => {
    expect(
      shared(
        laneHistory(key, [
          ["a", 0, 5, false],
          ["b", 6, 8],
          ["a", 9, 10],
        ]),
      ),
    ).toEqual([]);
    expect(
      shared(
        laneHistory(key, [
          ["a", 0, 5],
          ["b", 4, 8],
        ]),
      ),
    ).toEqual([[15, expect.stringMatching(/2 were on their way when "b" arrived, and 1 may be/)]]);
    // Its end is unknown: the kill is.
    const cut = laneHistory(key, [
      ["a", 0, lost],
      ["b", 6, 8],
      ["a", 9, 10],
    ]);
    expect(shared([...cut, kill(3)])).toEqual([]);
    expect(shared([...cut, kill(7)])).toEqual([
      [15, expect.stringMatching(/2 were on their way when "b" arrived/)],
    ]);
  });

  it("leaves out what a frozen engine sends when it wakes up", () => {
    const late = laneHistory(key, [
      ["a", 0, 5],
      ["b", 20_000, 20_009],
      ["c", 20_001, 20_009],
    ]);
    expect(shared(late)).toHaveLength(1);
    expect(shared([...late, { e: "fault", what: "SIGCONT of engine 1", t: 19_999 }])).toEqual([]);
  });

  it("finds a rate exceeded, where it can't be the delay of deliveries", () => {
    const every = (ms: number): Event[] =>
      laneHistory(
        rate,
        Array.from({ length: 60 }, (_, at) => [`m${100 + at}`, at * ms, at * ms + 1] as const),
      );
    expect(shared(every(500))).toEqual([]);
    expect(shared(every(250))).toEqual([
      [15, expect.stringMatching(/attempts began within \d+ ms, and \d+ may/)],
    ]);
  });

  it("finds messages of queues and keys that were lost", () => {
    const history = laneHistory(key, [["a", 0, 5, false]]);
    expect(shared(history)).toEqual([[1, "the engine acknowledged the message, and never delivered it"]]);
  });

  describe("and of schedules", () => {
    const MINUTE = 60_000;
    const ticking = (ticks: readonly number[], arrived: readonly number[] = ticks): Event[] => [
      { e: "call", op: 1, call: { name: "schedule", schedule: "s" }, t: 1000 },
      { e: "answer", op: 1, answer: { ok: true }, t: 2000 },
      ...arrived.map((t): Event => ({ e: "tick", schedule: "s", message: `msg_${t}`, t: t + 5 })),
      { e: "call", op: 2, call: { name: "unschedule", schedule: "s" }, t: 2.5 * MINUTE },
      { e: "ticks", schedule: "s", ticks: ticks.map((at) => ({ message: `msg_${at}`, at })), t: 3 * MINUTE },
    ];

    it("nothing, when each tick has one message", () => {
      expect(shared(ticking([MINUTE, 2 * MINUTE]))).toEqual([]);
      // Made up for after a stop.
      expect(shared(ticking([1.4 * MINUTE, 2 * MINUTE]))).toEqual([]);
      // The last one may be about to come.
      expect(shared(ticking([MINUTE]))).toEqual([]);
    });

    it.each<[string, Event[], RegExp]>([
      ["a tick makes two messages", ticking([MINUTE, MINUTE + 3]), /made 2 messages in 1 minutes/],
      ["a tick makes none", ticking([2 * MINUTE]), /made no message at 1970-01-01T00:01:00/],
      ["a tick's message doesn't arrive", ticking([MINUTE], []), /msg_60000 never arrived/],
      ["a message has no tick", ticking([MINUTE], [MINUTE, MINUTE + 7]), /msg_60007 belongs to none/],
    ])("when %s", (_when, events, text) => {
      expect(shared(events)).toContainEqual([16, expect.stringMatching(text)]);
    });
  });
});

describe("the ends of a program", () => {
  it("are its result, what a race may bring, and a failure", () => {
    expect([...endsOf(PROGRAM)]).toEqual(["(0.0 0.1 waited 0.3)"]);
    expect([...endsOf(FAILING)]).toEqual([FAILS]);
    const race: Program = { kind: "race", parts: [step(), step({ final: true }), { kind: "sleep" }] };
    expect([...endsOf({ kind: "all", parts: [race, step()] })]).toEqual([
      "[0.0 0.1]".replace("0.0 0.1", "0.0.0 0.1"),
      FAILS,
      "[slept 0.1]",
    ]);
  });

  it("are few, whatever the program", () => {
    const random = seeded();
    for (let turn = 0; turn < 500; turn++) expect(endsOf(makeProgram(random)).size).toBeLessThan(1000);
  });
});

describe("docs/guarantees.md", () => {
  const page = readFileSync(fileURLToPath(new URL("../../docs/guarantees.md", import.meta.url)), "utf8");

  it("has each promise that the checker knows, with its number and title", () => {
    const titles = [...page.matchAll(/^### (\d+)\. (.+)$/gm)].map(([, number, title]) => [number, title]);
    expect(titles).toEqual(Object.entries(PROMISES));
  });

  it("names test files that are there", () => {
    const files = [...page.matchAll(/`((?:e2e|packages)\/[\w/.-]+\.test\.ts)`/g)].map(
      ([, file = ""]) => file,
    );
    expect(files.length).toBeGreaterThan(10);
    for (const file of files) readFileSync(fileURLToPath(new URL(`../../${file}`, import.meta.url)));
  });
});
