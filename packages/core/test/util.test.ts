import { createHash, createHmac } from "node:crypto";
import { runInNewContext } from "node:vm";
import { anyText } from "@perdure/test-support/fuzz";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { WorkflowError, WorkflowNonRetryableError, WorkflowRetryAfterError } from "../src/index.ts";
import { randomId, toRunId } from "../src/protocol/ids.ts";
import { encodeUtf8, equalConstantTime, fromBase64, textFromBase64, toBase64 } from "../src/util/bytes.ts";
import { createDigests } from "../src/util/digest-node.ts";
import {
  parseDuration,
  parseUnixTime,
  toMilliseconds,
  toSeconds,
  toUnixTime,
  toWireDuration,
  toWireTime,
} from "../src/util/duration.ts";
import { isNonRetryable, isRetryAfter, messageOf } from "../src/util/errors.ts";

/** Values that are no duration and no moment. */
const NO_TIMES = [
  ...[undefined, null, true, false, Number.NaN, Number.POSITIVE_INFINITY, 1n, Symbol("s"), {}, [], () => 1],
  new Date(Number.NaN),
];

describe("moments", () => {
  it.each([
    [1_900_000_000, 1_900_000_000],
    [1_900_000_000.25, 1_900_000_000.25],
    [0, 0],
    [new Date(1_900_000_000_123), 1_900_000_000.123],
    ["2030-01-01T00:00:00.5Z", 1_893_456_000.5],
    [runInNewContext("new Date(1500)"), 1.5],
  ])("reads %s as %d", (value, seconds) => expect(toUnixTime(value, "end")).toBe(seconds));

  it.each([...NO_TIMES, -1, "soon", "", new Date(-1), new Date(1e14 + 1)])("refuses %s", (value) => {
    expect(() => toUnixTime(value, "end")).toThrow(TypeError);
    expect(() => toUnixTime(value, "end")).toThrow(/^end must be a Date, .*; got .+\.$/);
  });

  it.each([Date.now(), 1e11 + 1, 1e300])("takes %d for milliseconds, and says so", (value) =>
    expect(() => toUnixTime(value, "end")).toThrow(
      /^end must be .* a Unix time in seconds \(not milliseconds\)/,
    ),
  );

  it("writes whole seconds, rounded up, or milliseconds for an engine that reads them", () => {
    const moment = new Date(1_900_000_000_001);
    expect([moment, 1_900_000_000].map((one) => toWireTime(one, "end"))).toEqual([
      "1900000001",
      "1900000000",
    ]);
    expect(toWireTime(moment, "end", true)).toBe("1900000000.001");
    expect(parseUnixTime("1900000000.001")).toBe(1_900_000_000_001);
    expect(parseUnixTime("1900000000001")).toBeUndefined();
  });
});

describe("durations", () => {
  it.each([
    [0, 0],
    [1.5, 1500],
    [1.1, 1100],
    [0.0001, 1],
    ["30s", 30_000],
    ["0.5s", 500],
    ["250ms", 250],
    ["1.5h", 5_400_000],
    ["5m", 300_000],
    ["2h", 7_200_000],
    ["1d12h", 129_600_000],
    ["1w", 604_800_000],
  ])("reads %s as %d milliseconds", (value, ms) => expect(toMilliseconds(value, "delay")).toBe(ms));

  it.each([...NO_TIMES, -1, "", "5", "5y", " 5s", "s", "-5s", "1e3s", 1e11 + 1])(
    "refuses %s with a TypeError that says whose it is",
    (value) => {
      for (const read of [toMilliseconds, toSeconds, toWireDuration]) {
        expect(() => read(value, "delay")).toThrow(TypeError);
        expect(() => read(value, "delay")).toThrow(/^delay must be a number of seconds.*; got .+\.$/);
      }
    },
  );

  it("writes whole seconds, rounded up, and leaves strings of whole parts alone", () => {
    const written = [2, 2.4, 0.001, "0.5s", "250ms", "1d12h", "1.5h"].map((value) =>
      toWireDuration(value, "delay"),
    );
    expect(written).toEqual(["2s", "3s", "1s", "1s", "1s", "1d12h", "5400s"]);
  });

  it("keeps milliseconds for an engine that reads them", () => {
    const written = [2, 2.4, 0.0001, "0.5s", "1d12h"].map((value) => toWireDuration(value, "delay", true));
    expect(written).toEqual(["2s", "2400ms", "1ms", "500ms", "1d12h"]);
    for (const text of written) expect(parseDuration(text)).toBeGreaterThan(0);
  });

  it("adds up the parts of any text of parts", () => {
    const part = fc.tuple(fc.nat(1000), fc.constantFrom(["s", 1], ["m", 60], ["h", 3600], ["d", 86_400]));
    fc.assert(
      fc.property(fc.array(part, { minLength: 1, maxLength: 5 }), (parts) => {
        const text = parts.map(([amount, [unit]]) => `${amount}${unit}`).join("");
        const seconds = parts.reduce((sum, [amount, [, size]]) => sum + amount * (size as number), 0);
        expect(toSeconds(text, "delay")).toBe(seconds);
      }),
    );
  });
});

describe("bytes", () => {
  it("brings any text and any bytes through base64", () => {
    fc.assert(
      fc.property(anyText, fc.uint8Array({ maxLength: 300 }), (text, bytes) => {
        expect(textFromBase64(toBase64(encodeUtf8(text)))).toBe(Buffer.from(text, "utf8").toString("utf8"));
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
});

describe("digests", () => {
  const throwing = () => {
    throw new Error("no such module on this platform");
  };
  const PLATFORMS = {
    "Node's functions": createDigests(),
    "crypto.subtle, without Node": createDigests({}),
    "crypto.subtle, where Node's functions throw": createDigests({ process: { getBuiltinModule: throwing } }),
    "crypto.subtle, where the module is missing": createDigests({
      process: { getBuiltinModule: () => undefined },
    }),
  };

  it.each(Object.entries(PLATFORMS))("hash and verify alike, by %s", async (_name, digests) => {
    expect(await digests.sha256(encodeUtf8(""))).toBe("47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU");
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 1 }), fc.uint8Array(), async (secret, data) => {
        const [key, bytes] = [new Uint8Array(secret), new Uint8Array(data)];
        const hmac = new Uint8Array(createHmac("sha256", key).update(bytes).digest());
        expect(await digests.sha256(bytes)).toBe(createHash("sha256").update(bytes).digest("base64url"));
        expect(await digests.hmacKey(key).verify(hmac, bytes)).toBe(true);
        expect(await digests.hmacKey(key).verify(hmac, new Uint8Array([...bytes, 0]))).toBe(false);
        expect(await digests.hmacKey(key).verify(hmac.slice(1), bytes)).toBe(false);
      }),
      { numRuns: 20 },
    );
  });

  it("hash a large body", async () => {
    const large = new Uint8Array(1024 * 1024).fill(7);
    const wanted = createHash("sha256").update(large).digest("base64url");
    expect(await createDigests().sha256(large)).toBe(wanted);
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
    expect(messageOf(new Response("c"))).toBe("[object Response]");
    expect(messageOf(undefined)).toBe("undefined");
    expect(messageOf(10n)).toBe("10");
    expect(messageOf(Symbol("d"))).toBe("Symbol(d)");
    expect(messageOf(circular)).toBe('{"self":"…"}');
    expect(messageOf({ row: { id: 17n }, of: circular })).toBe('{"row":{"id":"17"},"of":"…"}');
    expect(messageOf([{ id: 17n }, circular])).toBe('[{"id":"17"},"…"]');
    expect(messageOf({})).toBe("{}");
    expect(messageOf(new Error("got [object Object]"))).toBe("got [object Object]");
  });
});
