import { MAX_DURATION_MS, parseDuration } from "@perdure/core/protocol";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DAY } from "../../src/rules/duration.ts";
import { backoff, retryWait, waitAskedFor } from "../../src/rules/retry.ts";

const NOW = Date.UTC(2030, 0, 1, 12, 0, 0);

describe("durations", () => {
  it.each([
    ["30", 30_000],
    ["0", 0],
    ["1.5", 1500],
    ["90s", 90_000],
    ["5m", 300_000],
    ["2h", 7_200_000],
    ["1d10h30m", 124_200_000],
    [" 7d ", 7 * DAY],
    ["1w", 7 * DAY],
    ["6m5s", 365_000],
    ["1h0m0.5s", 3_600_500],
    ["250ms", 250],
    ["1.1s", 1100],
    ["0.1004s", 101],
    ["1500us", 2],
    ["2µs", 1],
  ])("%s", (text, ms) => expect(parseDuration(text)).toBe(ms));

  it.each(["", "s", "-1s", "1y", "5x", "1 m", "5s 6s", "NaN", "NaNs", "1e3", ".s", "1.s", "9".repeat(40)])(
    "not %s",
    (text) => expect(parseDuration(text)).toBeUndefined(),
  );

  it("add up, whatever the units", () => {
    const part = fc.tuple(
      fc.nat(1000),
      fc.constantFrom(["ms", 1], ["s", 1000], ["m", 60_000], ["h", 3_600_000], ["d", DAY]),
    );
    fc.assert(
      fc.property(fc.array(part, { minLength: 1, maxLength: 6 }), (parts) => {
        const text = parts.map(([amount, [unit]]) => `${amount}${unit}`).join("");
        const sum = parts.reduce((total, [amount, [, ms]]) => total + amount * (ms as number), 0);
        expect(parseDuration(text)).toBe(sum);
      }),
    );
  });
});

describe("the wait before a retry", () => {
  it("is 12 s, 2 m 28 s, 30 m 8 s, 6 h 7 m 6 s and then a day by default", () => {
    expect([0, 1, 2, 3, 4, 5, 400].map((retried) => backoff(retried) / 1000)).toEqual([
      12, 148, 1808, 22_026, 86_400, 86_400, 86_400,
    ]);
  });

  it("is the value of the message's expression in milliseconds", () => {
    expect(retryWait("1000 * (1 + retried)", 0, undefined, NOW)).toBe(1000);
    expect(retryWait("1000 * (1 + retried)", 4, {}, NOW)).toBe(5000);
  });

  it.each([
    ["-5", 0],
    ["0/0", 0],
    ["sqrt(-1)", 0],
    ["1/0", DAY],
    ["exp(1000)", DAY],
    ["100000000 * (1 + retried)", DAY],
    ["100000000", 100_000_000],
    ["172800000", 2 * DAY],
    ["0.4", 1],
  ])("%s is %i", (expression, wait) => expect(retryWait(expression, 0, undefined, NOW)).toBe(wait));

  it("is what the answer asks for before anything else", () => {
    expect(retryWait("1000", 0, { "retry-after": ["7"] }, NOW)).toBe(7000);
    expect(retryWait(undefined, 0, { "x-ratelimit-reset-tokens": ["6m5s"] }, NOW)).toBe(365_000);
  });

  it.each([
    ["0", 0],
    ["120", 120_000],
    ["86400", DAY],
    ["86401", DAY + 1000],
    ["172800", 2 * DAY],
    ["1893499230", 30_000], // A Unix time, in seconds and in milliseconds.
    ["1893499230000", 30_000],
    ["1893456000", 0],
    ["Tue, 01 Jan 2030 12:00:30 GMT", 30_000],
    ["Tue, 01 Jan 2030 11:00:00 GMT", 0],
    ["Fri, 04 Jan 2030 12:00:00 GMT", 3 * DAY],
    ["1.5s", 1500],
    ["1d", DAY],
    ["2d", 2 * DAY],
    ["25h", 25 * 3_600_000],
    ["soon", undefined],
    ["-3", undefined],
    ["", undefined],
  ])("Retry-After: %s", (value, wait) => expect(waitAskedFor({ "retry-after": [value] }, NOW)).toBe(wait));

  it("takes the first of the four headers that can be used", () => {
    const headers = {
      "retry-after": ["never"],
      "x-ratelimit-reset": ["99999999"],
      "x-ratelimit-reset-requests": ["20"],
      "x-ratelimit-reset-tokens": ["30"],
    };
    expect(waitAskedFor(headers, NOW)).toBe(20_000);
  });

  it("leaves out a limit that ends in more than a day, which need not be why the attempt has failed", () => {
    expect(waitAskedFor({ "x-ratelimit-reset": ["172800"] }, NOW)).toBeUndefined();
    expect(waitAskedFor({ "x-ratelimit-reset": [String(NOW / 1000 + 40)] }, NOW)).toBe(40_000);
  });

  it("is never negative, and never too long for a date", () => {
    fc.assert(
      fc.property(
        fc.string(),
        fc.nat(50),
        fc.option(fc.constantFrom("retried*1e", "-retried", "pow(9,retried)")),
        (value, retried, expression) => {
          const usable = expression === "retried*1e" ? undefined : (expression ?? undefined);
          const wait = retryWait(usable, retried, { "retry-after": [value] }, NOW);
          expect(wait).toBeGreaterThanOrEqual(0);
          expect(wait).toBeLessThanOrEqual(MAX_DURATION_MS);
        },
      ),
    );
  });
});
