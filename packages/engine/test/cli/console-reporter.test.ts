import { stripVTControlCharacters } from "node:util";
import { describe, expect, it } from "vitest";
import { ConsoleReporter } from "../../src/cli/console-reporter.ts";
import type { LogLevel } from "../../src/cli/values.ts";
import type { DeliveryInfo, EngineEvent } from "../../src/rules/event.ts";

const delivery = (more: Partial<DeliveryInfo> = {}): DeliveryInfo => ({
  messageId: "msg_1",
  kind: "step",
  url: "https://app.test/wf",
  runId: "wfr_1",
  step: "init",
  planned: false,
  attempt: 1,
  ...more,
});

const recorded = (step: string, stepType = "Run"): EngineEvent => ({
  type: "step.recorded",
  runId: "wfr_1",
  step,
  stepType,
});

/** What is said of these events, which are 10 ms apart. */
function tell(events: readonly EngineEvent[], level: LogLevel = "info"): string[] {
  let now = 0;
  const reporter = new ConsoleReporter(level, () => {
    now += 10;
    return now;
  });
  return events
    .map((event) => reporter.report(event))
    .filter((line) => line !== undefined)
    .map((line) => stripVTControlCharacters(line).replace(/^\d\d:\d\d:\d\d /, ""));
}

describe("the lines of perdure dev", () => {
  it("name the step that was recorded, with the attempt in which it was", () => {
    expect(
      tell([
        { type: "run.started", runId: "wfr_1", url: "https://app.test/wf" },
        { type: "delivering", ...delivery({ attempt: 2 }) },
        recorded("charge"),
        { type: "delivered", ...delivery(), status: 200, ms: 30 },
        { type: "run.completed", runId: "wfr_1", ms: 1234 },
      ]),
    ).toEqual([
      "▶ wfr_1 /wf started https://app.test/wf",
      "✓ wfr_1 /wf charge (Run) attempt 2, 10 ms",
      "■ wfr_1 /wf completed in 1.2 s",
    ]);
  });

  it("show when a step began that ran inline and how long it took, and an attempt of one that failed", () => {
    const begin = new Date(2030, 0, 1, 20, 45, 10, 5);
    const failed = {
      type: "step.failed",
      runId: "wfr_1",
      step: "charge",
      stepType: "Run",
      error: "declined",
    } as const;
    expect(
      tell([
        { type: "delivering", ...delivery() },
        { ...recorded("reserve"), startedAt: begin.getTime(), durationMs: 7 } as EngineEvent,
        { ...recorded("later"), startedAt: begin.getTime() + 7, durationMs: 1500 } as EngineEvent,
        { ...failed, attempt: 1, wait: 2000 },
        { ...failed, attempt: 2 },
      ]),
    ).toEqual([
      "✓ wfr_1 /wf reserve (Run) 7 ms from 20:45:10.005",
      "✓ wfr_1 /wf later (Run) 1.5 s from 20:45:10.012",
      "↻ wfr_1 /wf charge attempt 1: declined; again in 2 s",
      "↻ wfr_1 /wf charge attempt 2: declined; no retry is left",
    ]);
  });

  it("tell the branches of a run apart", () => {
    const branch = (messageId: string, step: string, attempt: number): EngineEvent => ({
      type: "delivering",
      ...delivery({ messageId, step, planned: true, attempt }),
    });
    expect(tell([branch("msg_a", "a", 1), branch("msg_b", "b", 3), recorded("b"), recorded("a")])).toEqual([
      "✓ wfr_1 /wf b (Run) attempt 3, 10 ms",
      "✓ wfr_1 /wf a (Run) attempt 1, 30 ms",
    ]);
  });

  it("say of what the engine recorded itself no more than that", () => {
    expect(
      tell([
        { type: "delivering", ...delivery() },
        recorded("approval", "Wait"),
        recorded("child", "Invoke"),
      ]),
    ).toEqual(["✓ wfr_1 /wf approval received its event", "✓ wfr_1 /wf child (Invoke)"]);
  });

  it("say until when a run rests or waits, and how that ended", () => {
    const until = new Date(2030, 0, 1, 20, 45, 10).getTime();
    const wait = { type: "step.waiting", runId: "wfr_1", until } as const;
    expect(
      tell([
        { ...wait, step: "pause", stepType: "SleepFor" },
        recorded("pause", "SleepFor"),
        { ...wait, step: "approval", stepType: "Wait", eventId: "approved" },
        { ...recorded("approval", "Wait"), timedOut: true } as EngineEvent,
        { ...wait, step: "hook", stepType: "WaitForWebhook", eventId: "evt_1" },
        recorded("hook", "WaitForWebhook"),
        { type: "delivering", ...delivery({ step: "rest", planned: true }) },
        recorded("rest", "SleepFor"),
      ]),
    ).toEqual([
      "… wfr_1 pause sleeps until 2030-01-01 20:45:10",
      "… wfr_1 approval waits for approved, until 2030-01-01 20:45:10",
      "✓ wfr_1 approval timed out: nothing came in time",
      "… wfr_1 hook waits for a request to its webhook, until 2030-01-01 20:45:10",
      "✓ wfr_1 hook received a request to its webhook",
      "✓ wfr_1 /wf rest (SleepFor) attempt 1, 10 ms",
    ]);
  });

  it("show payloads and results at debug only, on lines of their own", () => {
    const events: EngineEvent[] = [
      { type: "run.started", runId: "wfr_1", url: "https://app.test/wf", payload: '{"id":1}' },
      { ...recorded("charge"), result: '"paid"' } as EngineEvent,
      { type: "run.completed", runId: "wfr_1", ms: 5, result: "2" },
    ];
    const bodies = tell(events, "debug").map((line) => line.split("\n")[1]?.trim());
    expect(bodies).toEqual(['payload {"id":1}', 'result "paid"', "result 2"]);
    for (const line of tell(events)) expect(line).not.toMatch(/\n|paid|payload/);
  });

  it("are cut to the terminal's width, and show the time of day", () => {
    const reporter = new ConsoleReporter(
      "info",
      () => new Date(2030, 0, 1, 9, 5, 7).getTime(),
      () => 40,
    );
    const told = reporter.report({
      type: "run.started",
      runId: "wfr_1",
      url: `https://app.test/${"x".repeat(99)}`,
    });
    expect(stripVTControlCharacters(told ?? "")).toMatch(/^09:05:07 ▶ wfr_1 \/x+…$/);
    expect(stripVTControlCharacters(told ?? "")).toHaveLength(40);
  });

  it.each([80, 120])("of %i columns show what failed and why, however long the names are", (columns) => {
    const reporter = new ConsoleReporter(
      "info",
      () => 0,
      () => columns,
    );
    const runId = "wfr_7vLWCPJqxv1KU2sz44Scf";
    const step = "reserve the stock of the customer's order in each of the warehouses";
    const attempt = { ...delivery({ runId, url: "https://app.test/order" }), status: 500, ms: 12 };
    const error = `out of stock: ${"x".repeat(500)}`;
    const events: EngineEvent[] = [
      { type: "retrying", ...attempt, error, wait: 1000, failedStep: step },
      { type: "failed", ...attempt, error, dlqId: "1-1", failedStep: step },
      { ...recorded(step, "Wait"), runId } as EngineEvent,
      { type: "step.waiting", runId, step, stepType: "Wait", eventId: "a long name of an event", until: 0 },
      { type: "failure.reported", ...attempt, kind: "failure", outcome: "handled", response: error },
    ];
    const lines = events.map((event) => stripVTControlCharacters(reporter.report(event) ?? ""));
    for (const line of lines) {
      expect(line.length).toBeLessThanOrEqual(columns);
      expect(line).not.toContain("\n");
    }
    const [retrying, failed, received, waiting, reported] = lines;
    const name = `${step.slice(0, columns / 4 - 1)}…`;
    expect(retrying).toContain(` ${name} again`);
    expect(failed).toContain(` run failed at ${name}`.slice(0, columns - 44));
    expect(received).toContain(` ${name} received`);
    expect(waiting).toContain(` ${name} waits`);
    expect(reported).toContain(" failure function ran: out");
    if (columns === 120) expect(failed).toContain(": out of stock");
    if (columns === 120) expect(retrying).toContain(" again in 1 s: out of stock");
  });

  it("point at the app's console where it refuses a delivery", () => {
    const refused = { ...delivery(), status: 401, ms: 1, error: "Unauthorized", failedStep: undefined };
    expect(
      tell([
        { type: "retrying", ...refused, wait: 1000 },
        { type: "retrying", ...refused, kind: "message", wait: 1000 },
      ]),
    ).toEqual([
      expect.stringContaining("Unauthorized. The app's console says why (attempt"),
      expect.stringContaining("Unauthorized (attempt"),
    ]);
  });

  it("name the step that failed, where that is known", () => {
    const failing = { error: "card declined", failedStep: undefined, status: 500, ms: 12 };
    const retrying = (more: object): EngineEvent => ({
      type: "retrying",
      wait: 12_000,
      ...failing,
      ...delivery(),
      ...more,
    });
    const failed: EngineEvent = {
      type: "failed",
      dlqId: "1-1",
      ...failing,
      ...delivery({ attempt: 4 }),
      failedStep: "charge",
    };
    expect(
      tell([
        retrying({ failedStep: "charge" }),
        retrying({ step: "b", planned: true }),
        retrying({}),
        failed,
        { ...failed, failedStep: undefined },
      ]),
    ).toEqual([
      "↻ wfr_1 /wf charge again in 12 s: card declined (attempt 1, 500, 12 ms)",
      "↻ wfr_1 /wf b again in 12 s: card declined (attempt 1, 500, 12 ms)",
      "↻ wfr_1 /wf before its first step again in 12 s: card declined (attempt 1, 500, 12 ms)",
      "✗ wfr_1 /wf run failed at charge: card declined (attempt 4, 500, 12 ms) dead letter 1-1",
      "✗ wfr_1 /wf run failed before its first step: card declined (attempt 4, 500, 12 ms) dead letter 1-1",
    ]);
  });

  it("tell what a third party said to a call", () => {
    const call = delivery({ kind: "call", step: "weather", url: "https://third.test/" });
    const answer = delivery({ messageId: "msg_2", kind: "answer", step: "weather" });
    expect(
      tell([
        { type: "called", ...call, waitingSince: 0, status: 503, ms: 250 },
        { type: "delivering", ...answer },
        recorded("weather", "Call"),
        { type: "retrying", ...answer, error: "x", wait: 5, failedStep: undefined, status: 0, ms: 1 },
      ]),
    ).toEqual([
      "→ wfr_1 call weather https://third.test/ attempt 1, 503, 250 ms",
      "✓ wfr_1 weather (Call) attempt 1, 10 ms",
      "↻ wfr_1 answer to weather again in 5 ms: x (attempt 1, no answer, 1 ms)",
    ]);
  });

  it("tell of runs that were taken up again or canceled, and of plain messages", () => {
    const plain = delivery({ kind: "message", runId: undefined, step: undefined });
    expect(
      tell([
        { type: "run.resumed", runId: "wfr_2", url: "https://app.test/wf" },
        { type: "run.canceled", runId: "wfr_1", ms: 7 },
        { type: "delivered", ...plain, status: 204, ms: 7_300_000 },
      ]),
    ).toEqual([
      "▶ wfr_2 /wf takes up a failed run https://app.test/wf",
      "■ wfr_1 cancelled",
      "✓ msg_1 https://app.test/wf attempt 1, 204, 2 h",
    ]);
  });

  it("are as many as the level wants", () => {
    const events: EngineEvent[] = [
      { type: "delivering", ...delivery() },
      recorded("charge"),
      { type: "delivered", ...delivery(), status: 200, ms: 5 },
      { type: "fault", during: "claiming", error: new TypeError("disk full") },
    ];
    expect(tell(events, "silent")).toEqual([]);
    expect(tell(events, "error")).toEqual(["✗ while claiming: disk full"]);
    expect(tell(events, "info")).toHaveLength(2);
    expect(tell(events, "debug")).toHaveLength(3);
  });
});
