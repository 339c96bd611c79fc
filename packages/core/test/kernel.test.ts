import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { WorkflowError, WorkflowNonRetryableError, WorkflowRetryAfterError } from "../src/index.ts";
import {
  equalConstantTime,
  fromBase64,
  sha256Base64Url,
  textFromBase64,
  toBase64,
  utf8,
} from "../src/kernel/bytes.ts";
import { toSeconds, toWireDuration } from "../src/kernel/duration.ts";
import { isNonRetryable, isRetryAfter, messageOf } from "../src/kernel/errors.ts";
import { randomId, toRunId } from "../src/kernel/ids.ts";
import { anyText } from "./support/fuzz.ts";

describe("durations", () => {
  it.each([
    [0, 0],
    [1.5, 1.5],
    ["30s", 30],
    ["5m", 300],
    ["2h", 7200],
    ["1d12h", 129_600],
  ])("reads %s as %d seconds", (value, seconds) => expect(toSeconds(value)).toBe(seconds));

  it.each([-1, Number.NaN, Number.POSITIVE_INFINITY, "", "5", "5w", "1.5h", " 5s", "s", "-5s"])(
    "refuses %s with a TypeError that says whose it is",
    (value) => {
      expect(() => toSeconds(value)).toThrow(TypeError);
      expect(() => toSeconds(value, "delay")).toThrow(/^delay must be a number of seconds/);
    },
  );

  it("writes numbers in whole seconds and leaves texts alone", () => {
    expect(toWireDuration(2.4, "delay")).toBe("2s");
    expect(toWireDuration("1d12h", "delay")).toBe("1d12h");
  });

  it("adds up the parts of any text of parts", () => {
    const part = fc.tuple(fc.nat(1000), fc.constantFrom(["s", 1], ["m", 60], ["h", 3600], ["d", 86_400]));
    fc.assert(
      fc.property(fc.array(part, { minLength: 1, maxLength: 5 }), (parts) => {
        const text = parts.map(([amount, [unit]]) => `${amount}${unit}`).join("");
        const seconds = parts.reduce((sum, [amount, [, size]]) => sum + amount * (size as number), 0);
        expect(toSeconds(text)).toBe(seconds);
      }),
    );
  });
});

describe("bytes", () => {
  it("brings any text and any bytes through base64", () => {
    fc.assert(
      fc.property(anyText, fc.uint8Array({ maxLength: 300 }), (text, bytes) => {
        expect(textFromBase64(toBase64(utf8(text)))).toBe(Buffer.from(text, "utf8").toString("utf8"));
        expect(fromBase64(toBase64(bytes))).toEqual(new Uint8Array(bytes));
        expect(toBase64(bytes)).toBe(Buffer.from(bytes).toString("base64"));
      }),
    );
  });

  it("takes bodies larger than one call's arguments", () => {
    const bytes = new Uint8Array(200_000).fill(7);
    expect(fromBase64(toBase64(bytes))).toEqual(bytes);
  });

  it("compares as === does", () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (left, right) => {
        expect(equalConstantTime(left, right)).toBe(left === right);
        expect(equalConstantTime(left, left)).toBe(true);
      }),
    );
  });

  it("hashes as base64url without padding", async () => {
    expect(await sha256Base64Url(utf8(""))).toBe("47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU");
  });
});

describe("ids", () => {
  it("are long, of the url-safe alphabet, and differ", () => {
    const ids = new Set(Array.from({ length: 1000 }, () => randomId()));
    expect(ids.size).toBe(1000);
    for (const id of ids) expect(id).toMatch(/^[0-9A-Za-z_-]{21}$/);
    expect(toRunId("mine")).toBe("wfr_mine");
  });
});

describe("errors", () => {
  it("are told apart by name, also from another copy of the package", () => {
    class Copy extends Error {
      override name = "WorkflowNonRetryableError";
    }
    expect(isNonRetryable(new WorkflowNonRetryableError("no"))).toBe(true);
    expect(isNonRetryable(new Copy("no"))).toBe(true);
    expect(isNonRetryable(new WorkflowError("invalid_payload", "no"))).toBe(true);
    expect(isNonRetryable(new WorkflowError("engine_unreachable", "later"))).toBe(false);
    expect(isNonRetryable({ name: "WorkflowNonRetryableError" })).toBe(false);
    expect(isRetryAfter(new WorkflowRetryAfterError("later", "5m"))).toBe(true);
    expect(isRetryAfter(new Error("later"))).toBe(false);
    expect(isNonRetryable(Object.assign(new Error("no"), { code: "quota_exceeded" }))).toBe(false);
  });

  it("keep their meaning in classes that extend them", () => {
    class Declined extends WorkflowNonRetryableError {
      override name = "Declined";
      override readonly code = "declined" as never;
    }
    class Busy extends WorkflowRetryAfterError {
      override name = "Busy";
    }
    expect(isNonRetryable(new Declined("no"))).toBe(true);
    expect(isRetryAfter(new Busy("later", 5))).toBe(true);
  });

  it("are errors also when they come from another realm", () => {
    const foreign = runInNewContext(
      'Object.assign(new RangeError("far"), { name: "WorkflowNonRetryableError" })',
    );
    expect(foreign).not.toBeInstanceOf(Error);
    expect(messageOf(foreign)).toBe("far");
    expect(isNonRetryable(foreign)).toBe(true);
  });

  it("refuse a retryAfter that is no duration where it is written", () => {
    expect(() => new WorkflowRetryAfterError("later", "soon" as "1s")).toThrow(TypeError);
  });

  it("have a message whatever was thrown", () => {
    const circular: Record<string, unknown> = {};
    circular.self = circular;
    expect(messageOf(new Error("a"))).toBe("a");
    expect(messageOf("b")).toBe("b");
    expect(messageOf({ c: 1 })).toBe('{"c":1}');
    expect(messageOf(undefined)).toBe("undefined");
    expect(messageOf(10n)).toBe("10");
    expect(messageOf(Symbol("d"))).toBe("Symbol(d)");
    expect(messageOf(circular)).toBe("[object Object]");
  });
});
