import { describe, expect, it } from "vitest";
import { oneLine, visible } from "../src/format/text.ts";
import { editableResult, resultText } from "../src/run/step-result.ts";

describe("a string of a user", () => {
  it.each([
    ["\u001b[31mred\u001b[0m", "red"],
    ["a\u001bb", "a␛b"],
    ["null\u0000byte", "null␀byte"],
    ["\u202egnp.exe", "⟨U+202E⟩gnp.exe"],
    ["a\u2066b\u2069", "a⟨U+2066⟩b⟨U+2069⟩"],
    ["<img src=x onerror=alert(1)>", "<img src=x onerror=alert(1)>"],
    ["line\r\nbreak\ttab", "line\nbreak\ttab"],
    ["\u009b31mC1", "⟨U+009B⟩31mC1"],
  ])("%j is shown as %j", (text, shown) => {
    expect(visible(text)).toBe(shown);
  });

  it("fits one line where it must", () => {
    expect(oneLine("  a\n\n b\t c ")).toBe("a b c");
  });
});

describe("a step's result", () => {
  const base64 = (text: string): string => Buffer.from(text).toString("base64");
  const hit = { method: "PUT", header: { A: ["1"] }, body: base64('{"paid":"Zoë"}') };

  it.each<[string, string | undefined, string | undefined, string | undefined]>([
    ["Run", base64("a"), base64("a"), base64("a")],
    ["Wait", base64('{"by":"Zoë"}'), '{"by":"Zoë"}', '{"by":"Zoë"}'],
    ["Wait", "[hidden]", "[hidden]", "[hidden]"],
    ["Wait", undefined, undefined, undefined],
    [
      "WaitForWebhook",
      base64(JSON.stringify(hit)),
      '{"method":"PUT","header":{"A":["1"]},"body":{"paid":"Zoë"}}',
      '{"paid":"Zoë"}',
    ],
    ["WaitForWebhook", "[hidden]", "[hidden]", "[hidden]"],
  ])("of %s is shown as text, and can be edited as such", (stepType, out, text, editable) => {
    const step = { stepType, ...(out === undefined ? {} : { out }) };
    expect([resultText(step), editableResult(step)]).toEqual([text, editable]);
  });
});
