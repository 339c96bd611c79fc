import { describe, expect, it } from "vitest";
import { JsonLogger } from "../../src/cli/json-logger.ts";
import type { LogLevel } from "../../src/cli/values.ts";
import { type EngineEvent, StoreUnavailable } from "../../src/index.ts";
import { START } from "../harness.ts";

const attempt = {
  messageId: "msg_1",
  kind: "message",
  url: "https://a.test/x?token=secret#secret",
  runId: undefined,
  step: undefined,
  planned: false,
  attempt: 1,
  status: 500,
  ms: 5,
} as const;
const events: EngineEvent[] = [
  { type: "delivering", ...attempt, lag: 3 },
  { type: "delivered", ...attempt },
  { type: "retrying", ...attempt, error: "the endpoint answered 500", wait: 10, failedStep: undefined },
  { type: "failed", ...attempt, error: "the endpoint answered 500", dlqId: "1-1", failedStep: undefined },
  { type: "failure.reported", ...attempt, outcome: "handled", response: "secret" },
  { type: "run.started", runId: "wfr_1", url: "https://a.test/x?token=secret" },
  { type: "fault", during: "POST /v2/publish/https://a.test/?token=secret", error: new TypeError("disk") },
];

const written = (level: LogLevel): Record<string, unknown>[] => {
  const lines: string[] = [];
  const logger = new JsonLogger(
    level,
    (line) => lines.push(line),
    () => START,
  );
  for (const event of events) logger.logEvent(event, "ann");
  for (const line of lines) expect(line).not.toContain("\n");
  return lines.map((line) => JSON.parse(line));
};

describe("the logger", () => {
  it("has one object a line, without what may be secret", () => {
    const all = written("debug");
    expect(all).toHaveLength(events.length);
    expect(JSON.stringify(all)).not.toContain("secret");
    expect(all[1]).toEqual({
      time: "2030-01-01T00:00:00.000Z",
      level: "info",
      event: "delivered",
      user: "ann",
      messageId: "msg_1",
      kind: "message",
      url: "https://a.test/x",
      planned: false,
      attempt: 1,
      status: 500,
      ms: 5,
    });
    expect(all.at(-1)).toMatchObject({
      level: "error",
      during: "POST /v2/publish/https://a.test/",
      error: "disk",
      stack: expect.stringContaining("TypeError"),
    });
  });

  it("has no stack where the database is away", () => {
    const lines: string[] = [];
    const logger = new JsonLogger("error", (line) => lines.push(line));
    const error = new StoreUnavailable("The database can't be used.");
    logger.logEvent({ type: "fault", during: "storing", error }, "ann");
    expect(JSON.parse(lines[0] ?? "")).toMatchObject({ error: "The database can't be used." });
    expect(lines[0]).not.toContain("stack");
  });

  it.each([
    ["debug", 7],
    ["info", 6],
    ["error", 1],
    ["silent", 0],
  ] as const)("writes at the level %s so many lines: %i", (level, count) => {
    expect(written(level)).toHaveLength(count);
  });
});
