import { describe, expect, it } from "vitest";
import { formatTime, formatWait, printableValue } from "../../src/cli/remote/output.ts";

describe("a value that a command prints", () => {
  it("is cut on a terminal from 2000 characters on, with a mark", () => {
    expect(printableValue("x".repeat(2000), true)).toBe("x".repeat(2000));
    expect(printableValue("x".repeat(2001), true)).toBe(
      `${"x".repeat(2000)}… (cut: 2001 characters; --json prints all)`,
    );
  });

  it("is whole elsewhere, and on one line without controls in both cases", () => {
    expect(printableValue(`a\n\u001b[31m${"x".repeat(3000)}`, false)).toBe(`a ${"x".repeat(3000)}`);
    expect(printableValue("a\n\u001b[31mb", true)).toBe("a b");
  });
});

it("what a run waits for has its times in the local time zone", () => {
  const at = Date.UTC(2026, 10, 30, 2, 54, 56, 373);
  expect(formatWait(`step "nap" sleeps until ${new Date(at).toISOString()}`)).toBe(
    `step "nap" sleeps until ${formatTime(at)}`,
  );
});
