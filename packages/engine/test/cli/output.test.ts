import { describe, expect, it } from "vitest";
import { formatTime, formatWait, printableValue } from "../../src/cli/remote/output.ts";
import { resultText } from "../../src/cli/remote/steps.ts";

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

describe("a step's result", () => {
  const base64 = (text: string): string => Buffer.from(text).toString("base64");
  const hit = {
    method: "PUT",
    header: {},
    body: base64('{"paid":true}'),
    proto: "http",
    host: "x",
    url: "/",
  };

  it.each<[string, unknown, string | undefined]>([
    ["Run", '{"a":1}', '{"a":1}'],
    ["Run", base64("text"), base64("text")],
    ["Invoke", { body: "2" }, '{"body":"2"}'],
    ["Wait", base64('{"by":"Zoë"}'), '{"by":"Zoë"}'],
    ["Wait", "[hidden]", "[hidden]"],
    ["Wait", undefined, undefined],
    ["WaitForWebhook", base64(JSON.stringify(hit)), 'PUT {"paid":true}'],
    ["WaitForWebhook", `REDACTED:${"0".repeat(64)}`, `REDACTED:${"0".repeat(64)}`],
  ])("of %s is shown as text: %j", (stepType, out, text) => {
    expect(resultText({ state: "STEP_SUCCESS", stepType, out })).toBe(text);
  });
});
