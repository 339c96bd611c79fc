import { describe, expect, it } from "vitest";
import { nextTick, toCron } from "../../src/rules/cron.ts";

const NEW_YEAR = Date.UTC(2030, 0, 1);

/** The next ticks after a time, as a clock in UTC shows them. */
function ticks(cron: string, after: string, count: number): string[] {
  const found: string[] = [];
  let at = Date.parse(after);
  for (let tick = 0; tick < count; tick++) {
    const next = nextTick(cron, at);
    if (next === undefined) break;
    found.push(new Date(next).toISOString().slice(0, 16));
    at = next;
  }
  return found;
}

describe("a cron expression", () => {
  it.each([
    ["* * * * *", ["2030-01-01T00:01", "2030-01-01T00:02"]],
    ["*/20 * * * *", ["2030-01-01T00:20", "2030-01-01T00:40", "2030-01-01T01:00"]],
    ["5/20 * * * *", ["2030-01-01T00:05", "2030-01-01T00:25", "2030-01-01T00:45", "2030-01-01T01:05"]],
    ["0 9-17/4 * * MON-FRI", ["2030-01-01T09:00", "2030-01-01T13:00", "2030-01-01T17:00"]],
    ["30 6 1,15 * *", ["2030-01-01T06:30", "2030-01-15T06:30", "2030-02-01T06:30"]],
    // A day of the month or a day of the week: either will do.
    ["0 0 13 * 5", ["2030-01-04T00:00", "2030-01-11T00:00", "2030-01-13T00:00"]],
    ["0 0 29 2 *", ["2032-02-29T00:00", "2036-02-29T00:00"]],
    ["0 0 * jan sun", ["2030-01-06T00:00", "2030-01-13T00:00"]],
    ["0 0 * * 7", ["2030-01-06T00:00"]],
    ["CRON_TZ=Asia/Kolkata 0 0 * * *", ["2030-01-01T18:30", "2030-01-02T18:30"]],
    ["CRON_TZ=Etc/GMT+5 0 0 * * *", ["2030-01-01T05:00"]],
  ])("%s", (cron, expected) => {
    expect(ticks(toCron(cron, "cron", NEW_YEAR), "2030-01-01T00:00Z", expected.length)).toEqual(expected);
  });

  it("comes true at whole minutes, after the time that is given", () => {
    expect(nextTick("* * * * *", NEW_YEAR)).toBe(NEW_YEAR + 60_000);
    expect(nextTick("* * * * *", NEW_YEAR - 1)).toBe(NEW_YEAR);
    expect(nextTick("* * * * *", NEW_YEAR + 59_999)).toBe(NEW_YEAR + 60_000);
  });

  it("has no blanks around it", () => {
    expect(toCron(" \t0 0 * * * ", "cron", NEW_YEAR)).toBe("0 0 * * *");
    expect(toCron("CRON_TZ=Europe/Berlin  0 0 * * * ", "cron", NEW_YEAR)).toBe(
      "CRON_TZ=Europe/Berlin  0 0 * * *",
    );
  });

  it.each([
    ["", "expected 5 fields"],
    ["* * * *", "got 4"],
    ["* * * * * *", "got 6"],
    ["@daily", "got 1"],
    ["60 * * * *", "60"],
    ["* 24 * * *", "24"],
    ["* * 0 * *", "day"],
    ["* * * 13 *", "13"],
    ["a b c d e", "illegal"],
    ["*/0 * * * *", "stepping"],
    ["30-10 * * * *", "larger"],
    ["0 0 30 2 *", "never comes true"],
    ["CRON_TZ=Mars/Olympus 0 0 * * *", "Mars/Olympus"],
    ["CRON_TZ=+02:00 0 0 * * *", "not a time zone"],
    ["CRON_TZ= 0 0 * * *", "got 6"],
    ["CRON_TZ=Europe/Berlin", "got 1"],
    ["TZ=Europe/Berlin 0 0 * * *", "got 6"],
    [`${"1,".repeat(5000)}1 * * *`, "got 4"],
  ])("%s is refused", (cron, reason) => {
    expect(() => toCron(cron, "Upstash-Cron", NEW_YEAR)).toThrow(
      expect.objectContaining({
        code: "invalid_request",
        message: expect.stringContaining("invalid Upstash-Cron: "),
      }),
    );
    expect(() => toCron(cron, "Upstash-Cron", NEW_YEAR)).toThrow(reason);
  });
});

describe("where clocks are put forward", () => {
  it.each([
    // 02:00 becomes 03:00 on 31 March 2030.
    ["CRON_TZ=Europe/Berlin 30 2 * * *", "2030-03-30T12:00Z", ["2030-03-31T01:00", "2030-04-01T00:30"]],
    ["CRON_TZ=Europe/Berlin 30 2,14 * * *", "2030-03-30T14:00Z", ["2030-03-31T01:00", "2030-03-31T12:30"]],
    ["CRON_TZ=Europe/Berlin 0 * * * *", "2030-03-30T23:30Z", ["2030-03-31T00:00", "2030-03-31T01:00"]],
    ["CRON_TZ=Europe/Berlin */30 * * * *", "2030-03-31T00:00Z", ["2030-03-31T00:30", "2030-03-31T01:00"]],
    // 02:00 becomes 03:00 on 10 March 2030.
    ["CRON_TZ=America/New_York 15 2 * * *", "2030-03-09T12:00Z", ["2030-03-10T07:00", "2030-03-11T06:15"]],
    ["CRON_TZ=America/New_York 0 8 * * *", "2030-03-09T12:00Z", ["2030-03-09T13:00", "2030-03-10T12:00"]],
    // Midnight itself is skipped.
    ["CRON_TZ=America/Havana 0 0 * * *", "2030-03-09T12:00Z", ["2030-03-10T05:00", "2030-03-11T04:00"]],
    // Half an hour: 02:00 becomes 02:30.
    ["CRON_TZ=Australia/Lord_Howe 15 2 * * *", "2030-10-05T00:00Z", ["2030-10-05T15:30", "2030-10-06T15:15"]],
    // The southern summer begins in spring there.
    ["CRON_TZ=Pacific/Auckland 30 2 * * *", "2030-09-28T00:00Z", ["2030-09-28T14:00", "2030-09-29T13:30"]],
  ])("%s", (cron, after, expected) => {
    expect(ticks(cron, after, 2)).toEqual(expected);
  });
});

describe("where clocks are put back", () => {
  it.each([
    // 03:00 becomes 02:00 on 27 October 2030: once, the first time.
    ["CRON_TZ=Europe/Berlin 30 2 * * *", "2030-10-26T12:00Z", ["2030-10-27T00:30", "2030-10-28T01:30"]],
    ["CRON_TZ=Europe/Berlin 30 2,3 * * *", "2030-10-26T12:00Z", ["2030-10-27T00:30", "2030-10-27T02:30"]],
    // What repeats goes on by the clock: there are 25 hours.
    [
      "CRON_TZ=Europe/Berlin 0 * * * *",
      "2030-10-26T23:30Z",
      ["2030-10-27T00:00", "2030-10-27T01:00", "2030-10-27T02:00"],
    ],
    [
      "CRON_TZ=America/New_York */30 1 * * *",
      "2030-11-03T04:00Z",
      ["2030-11-03T05:00", "2030-11-03T05:30", "2030-11-03T06:00", "2030-11-03T06:30", "2030-11-04T06:00"],
    ],
    ["CRON_TZ=America/New_York 30 1 * * *", "2030-11-03T04:00Z", ["2030-11-03T05:30", "2030-11-04T06:30"]],
    ["CRON_TZ=Australia/Lord_Howe 45 1 * * *", "2030-04-06T00:00Z", ["2030-04-06T14:45", "2030-04-07T15:15"]],
    // No summer time at all.
    ["CRON_TZ=Asia/Tokyo 30 2 * * *", "2030-10-26T12:00Z", ["2030-10-26T17:30", "2030-10-27T17:30"]],
    ["30 2 * * *", "2030-10-26T12:00Z", ["2030-10-27T02:30", "2030-10-28T02:30"]],
  ])("%s", (cron, after, expected) => {
    expect(ticks(cron, after, expected.length)).toEqual(expected);
  });
});
