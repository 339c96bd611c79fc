import { globSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import {
  type DueStatus,
  MESSAGE_EVENTS,
  type MessageEvent,
  STATUS,
  stateOf,
  statusAfter,
  transition,
} from "../../src/rules/message-status.ts";

const STATUSES = Object.values(STATUS);

/** The status that each event leads to, from each status in which it can happen; written out once more by hand. */
const EXPECTED: Readonly<Record<MessageEvent, Partial<Record<DueStatus, DueStatus>>>> = {
  claim: {
    scheduled: "delivering",
    retrying: "delivering",
    ready: "delivering",
    delivering: "delivering",
  },
  release: { delivering: "scheduled", deferred: "scheduled", ready: "scheduled" },
  retry: { delivering: "retrying" },
  enqueue: {
    scheduled: "queued",
    retrying: "queued",
    throttled: "queued",
    ready: "queued",
    queued: "queued",
  },
  dequeue: { queued: "scheduled" },
  throttle: { scheduled: "throttled", retrying: "throttled", ready: "throttled" },
  unthrottle: { throttled: "scheduled" },
  defer: { scheduled: "deferred", retrying: "deferred", ready: "deferred" },
  undefer: { deferred: "ready" },
  withdraw: { delivering: "withdrawn" },
};

const CASES = STATUSES.flatMap((status) =>
  MESSAGE_EVENTS.map((event): [DueStatus, MessageEvent, DueStatus | undefined] => [
    status,
    event,
    EXPECTED[event][status],
  ]),
);

describe("a message's status", () => {
  it.each(CASES)("%s, then %s: %s", (status, event, next) => {
    if (next === undefined) {
      expect(() => transition(status, event, 0)).toThrow(
        `A message that is ${status} can't have the event "${event}".`,
      );
      return;
    }
    expect(transition(status, event, 0)).toBe(next);
    // A message that has failed before waits for a retry wherever a new one waits for its first attempt.
    expect(transition(status, event, 1)).toBe(next === "scheduled" ? "retrying" : next);
  });

  it.each(MESSAGE_EVENTS)("never changes at the message's end: %s", (event) => {
    expect(() => transition(null, event, 0)).toThrow(
      `A message that is at its end can't have the event "${event}".`,
    );
  });

  it("is said to statements by the same table", () => {
    for (const event of MESSAGE_EVENTS) {
      expect([event, [statusAfter(event)]]).toEqual([event, [...new Set(Object.values(EXPECTED[event]))]]);
    }
  });

  it.each([
    ["delivering", 0, "ACTIVE"],
    ["delivering", 1, "ACTIVE"],
    ["scheduled", 0, "CREATED"],
    ["queued", 1, "RETRY"],
    [null, 0, "CREATED"],
  ] as const)("is shown to clients: %s after %i failures is %s", (status, retried, state) => {
    expect(stateOf(status, retried)).toBe(state);
  });
});

describe("the words of statuses, states and kinds", () => {
  const src = new URL("../../src/", import.meta.url);
  const source = (file: string): string =>
    readFileSync(new URL(file, src), "utf8").replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, "");
  const STATES = "CREATED|ACTIVE|RETRY|DELIVERED|FAILED|CANCELLED|RUN_[A-Z]+";
  const KINDS = "message|step|call|answer|failure|rollback|cancel|toCallback|fromCallback";

  it("stand in no statement: tsc can't check them there", () => {
    const word = new RegExp(`'(?:${[...STATUSES, STATES, KINDS].join("|")})'`);
    expect(source("rules/message-status.ts")).toContain("delivering");
    expect(globSync("**/*.ts", { cwd: src }).filter((file) => word.test(source(file)))).toEqual([]);
  });

  it("come from the table where a command, a query or a table needs a status", () => {
    const word = new RegExp(`(?<!kind: )["'](?:${STATUSES.join("|")})["']`);
    const files = globSync(["commands/*.ts", "queries/*.ts", "store/**/*.ts", "*.ts"], { cwd: src });
    expect(files.length).toBeGreaterThan(50);
    expect(files.filter((file) => word.test(source(file)))).toEqual([]);
  });
});
