import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { afterEach, describe, expect, it } from "vitest";
import { ConsoleReporter } from "../../src/cli/console-reporter.ts";
import { ignoreFolder } from "../../src/cli/folder.ts";
import { JsonLogger } from "../../src/cli/json-logger.ts";
import { cutTo, printable } from "../../src/cli/terminal.ts";
import type { EngineEvent } from "../../src/rules/event.ts";

const EVIL = "a\u001b[2J\u001b]0;owned\u0007b\r\nc\u0000\u009b31md\u202ee\u2066f\u200eg\u2028h\ufeff";

describe("what others have written", () => {
  it.each([
    ["an escape sequence", "a\u001b[31mred\u001b[0mb", "aredb"],
    ["a title of the window", "a\u001b]0;owned\u0007b", "ab"],
    ["lines", "a\r\nb\tc\u2028d", "a b c d"],
    ["controls, also of eight bits", "a\u0000\u0008\u007f\u0085b", "ab"],
    ["marks of direction", "a\u202eb\u2066c\u200e\u061cd", "abcd"],
    ["what can't be seen", "a\u200b\ufeff\u00adb", "ab"],
    ["nothing of the kind", "größe 日本 👩‍🚀 x", "größe 日本 👩‍🚀 x"],
  ])("reaches no terminal with %s", (_name, text, shown) => {
    expect(printable(text)).toBe(shown);
  });

  const info = {
    ...{ messageId: "msg_1", kind: "step" as const, url: "https://a.test/wf", runId: `wfr_${EVIL}` },
    ...{ step: EVIL, planned: false, attempt: 1, status: 500, ms: 1 },
  } as const;
  const step = { runId: info.runId, step: EVIL, stepType: "Run" };
  const events: EngineEvent[] = [
    { type: "run.started", runId: info.runId, url: `https://a.test/${EVIL}`, payload: EVIL },
    { type: "step.recorded", ...step, result: EVIL },
    { type: "step.waiting", ...step, stepType: "Wait", eventId: EVIL, until: 0 },
    { type: "retrying", ...info, error: EVIL, wait: 1, failedStep: EVIL },
    { type: "failed", ...info, error: EVIL, dlqId: "1-1", failedStep: EVIL },
    { type: "failure.reported", ...info, kind: "failure", outcome: "handled", response: EVIL },
    {
      type: "rolledBack",
      ...info,
      record: { stepId: 1, stepName: EVIL, stepType: "Run", state: "failed", attempts: 1 } as never,
    },
    { type: "fault", during: EVIL, error: new Error(EVIL) },
  ];

  it.each(["info", "debug"] as const)(
    "is on lines of its own at %s, without what a terminal obeys",
    (level) => {
      const reporter = new ConsoleReporter(level, () => 0);
      for (const event of events) {
        const told = reporter.report(event);
        if (told === undefined) continue;
        const lines = told.split("\n");
        if (event.type !== "fault") expect(lines.length).toBeLessThanOrEqual(level === "debug" ? 2 : 1);
        for (const line of lines)
          expect(stripVTControlCharacters(line), event.type).not.toMatch(
            /[\p{Cc}\u200e\u202a-\u202e\u2066-\u2069]/u,
          );
        expect(told).not.toContain("owned");
      }
    },
  );

  it("is escaped in the logger, and read back as it was", () => {
    const lines: string[] = [];
    const logger = new JsonLogger("debug", (line) => lines.push(line));
    for (const event of events) logger.logEvent(event, "ann");
    for (const line of lines) expect(line).not.toMatch(/[\p{Cc}\p{Cf}\u2028\u2029]/u);
    expect(lines.map((line) => JSON.parse(line)).find(({ event }) => event === "retrying").error).toBe(EVIL);
  });

  it("isn't in the logger where it is a body, and is cut where it is an error", () => {
    const lines: string[] = [];
    const logger = new JsonLogger("debug", (line) => lines.push(line));
    const long = "x".repeat(2000);
    logger.logEvent(
      { type: "run.started", runId: "wfr_1", url: "https://a.test/", payload: "secret" },
      "ann",
    );
    logger.logEvent(
      { type: "step.recorded", runId: "wfr_1", step: "a", stepType: "Run", result: "secret" },
      "ann",
    );
    logger.logEvent({ type: "run.completed", runId: "wfr_1", ms: 1, result: "secret" }, "ann");
    logger.logEvent({ type: "retrying", ...info, error: long, wait: 1, failedStep: undefined }, "ann");
    expect(lines.join()).not.toContain("secret");
    expect(JSON.parse(lines[3] ?? "").error).toBe(`${"x".repeat(500)}…`);
  });
});

describe("a line", () => {
  it.each([
    [10, "0123456789", "0123456789"],
    [10, "0123456789a", "012345678…"],
    [10, "日本日本日", "日本日本日"],
    [10, "日本日本日本", "日本日本…"],
    [4, "👩👩👩", "👩…"],
  ])("is cut to %i columns: %s", (columns, line, shown) => {
    expect(cutTo(columns, line)).toBe(shown);
  });

  it("keeps its colours, and ends them", () => {
    expect(cutTo(5, "\u001b[31m0123456789\u001b[39m")).toBe("\u001b[31m0123…\u001b[0m");
    expect(cutTo(5, "\u001b[31m01234\u001b[39m")).toBe("\u001b[31m01234\u001b[39m");
  });
});

describe("the folder of a database", () => {
  const folder = mkdtempSync(join(tmpdir(), "perdure-"));
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it("ignores itself, unless it is the user's own", () => {
    const own = join(folder, ".perdure");
    mkdirSync(own);
    ignoreFolder(join(own, "dev.db"));
    expect(readFileSync(join(own, ".gitignore"), "utf8")).toBe("*\n");
    writeFileSync(join(own, ".gitignore"), "mine");
    ignoreFolder(join(own, "dev.db"));
    expect(readFileSync(join(own, ".gitignore"), "utf8")).toBe("mine");
    ignoreFolder(join(folder, "my.db"));
    ignoreFolder(":memory:");
    expect(existsSync(join(folder, ".gitignore"))).toBe(false);
  });
});
