import { readdirSync, readFileSync } from "node:fs";
import { stripVTControlCharacters } from "node:util";
import { describe, expect, it } from "vitest";
import { ConsoleReporter } from "../../src/cli/console-reporter.ts";
import type { AttemptInfo, EngineEvent } from "../../src/rules/event.ts";

const PAGE = readFileSync(new URL("../../../../docs/troubleshooting.md", import.meta.url), "utf8");
const sectionOf = (title: string): string => PAGE.split(`\n## ${title}\n`)[1]?.split("\n## ")[0] ?? "";
const TABLE = sectionOf("The engine's lines");
/** The lines that the page explains, as patterns: "…" stands for what differs. */
const PATTERNS = [...TABLE.matchAll(/^\| `([^`]+)` \|/gm)].map(([, line = ""]) => {
  const parts = line.split("…").map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${parts.join(".+")}$`);
});

const runId = "wfr_1";
const attempt: AttemptInfo = {
  messageId: "msg_1",
  kind: "step",
  url: "https://app.test/order",
  runId,
  step: "charge",
  planned: true,
  attempt: 1,
  status: 500,
  ms: 20,
};
const record = { stepId: 1, stepName: "charge", stepType: "Run", state: "done", attempts: 1 } as const;

/** An event of each type, or none where the type has no line at the level `info`. */
const EVENTS: Readonly<Record<EngineEvent["type"], EngineEvent | undefined>> = {
  "run.started": { type: "run.started", runId, url: attempt.url },
  "step.recorded": { type: "step.recorded", runId, step: "charge", stepType: "Run", durationMs: 7 },
  "step.failed": {
    type: "step.failed",
    runId,
    step: "charge",
    stepType: "Run",
    attempt: 1,
    error: "no",
    wait: 9,
  },
  "step.waiting": { type: "step.waiting", runId, step: "rest", stepType: "SleepFor", until: 1 },
  delivering: undefined,
  delivered: { type: "delivered", ...attempt, runId: undefined, step: undefined, status: 200 },
  called: { type: "called", ...attempt, kind: "call", status: 200, waitingSince: 0 },
  retrying: { type: "retrying", ...attempt, error: "no", wait: 1000, failedStep: "charge" },
  failed: { type: "failed", ...attempt, error: "no", dlqId: "1-1", failedStep: "charge" },
  "run.expired": { type: "run.expired", runId, ms: 7, error: "too long", dlqId: "1-1" },
  rolledBack: { type: "rolledBack", ...attempt, record },
  "failure.reported": {
    type: "failure.reported",
    ...attempt,
    kind: "failure",
    outcome: "handled",
    response: "1",
  },
  "failure.canceled": { type: "failure.canceled", runId, messageId: "msg_2", kind: "failure" },
  "run.completed": { type: "run.completed", runId, ms: 30 },
  "run.canceled": { type: "run.canceled", runId, ms: 7 },
  "run.resumed": { type: "run.resumed", runId, url: attempt.url },
  shortage: { type: "shortage", code: "EMFILE", wait: 1000 },
  fault: { type: "fault", during: "a claim", error: new Error("the disk is full") },
};
const MORE: readonly EngineEvent[] = [
  { type: "step.waiting", runId, step: "approval", stepType: "Wait", eventId: "approved", until: 1 },
  { type: "step.waiting", runId, step: "reply", stepType: "WaitForWebhook", until: 1 },
  { type: "step.recorded", runId, step: "approval", stepType: "Wait" },
];

describe("the page of troubleshooting", () => {
  it.each([...Object.values(EVENTS), ...MORE].filter((event) => event !== undefined))(
    "explains the line of $type",
    (event) => {
      const reporter = new ConsoleReporter("info");
      const line = stripVTControlCharacters(reporter.report(event) ?? "").replace(/^\d\d:\d\d:\d\d /, "");
      expect(PATTERNS.filter((pattern) => pattern.test(line))).not.toEqual([]);
    },
  );
});

describe("the page's messages of an engine that doesn't start", () => {
  const folder = new URL("../../src/", import.meta.url);
  const sources = readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".ts"))
    .map((file) => readFileSync(new URL(file, folder), "utf8"))
    .join("\n");
  const cells = [...sectionOf("An engine doesn't start").matchAll(/^\| (.*?) \| .* \|$/gm)].map(
    ([, cell = ""]) => cell,
  );
  const messages = cells.flatMap((cell) =>
    [...cell.matchAll(/`([^`]+)`/g)].map(([, message = ""]) => message),
  );

  it.each(messages)("are the engine's: %s", (message) => {
    expect(sources).toContain(message);
  });

  it("are at least one in a row", () => {
    expect(messages.length).toBeGreaterThan(12);
  });
});
