import { readFailure, toErrorBody } from "@perdure/core/protocol";
import { describe, expect, it } from "vitest";
import { closeResult, shortenAnswer } from "../../src/rules/answer-excerpt.ts";
import { toBytes, toText } from "../../src/rules/bytes.ts";

const LIMIT = 4096;
const FRAME =
  "\n    at run (/srv/app/node_modules/.pnpm/package@1.0.0/node_modules/package/dist/file.js:10:20)";

const shortened = (value: unknown, limit = LIMIT): string => {
  const bytes = shortenAnswer(toBytes(typeof value === "string" ? value : JSON.stringify(value)), limit);
  expect(bytes.length).toBeLessThanOrEqual(limit);
  return toText(bytes);
};

/** An error with causes, whose stacks have 100 frames. */
function deepError(message: string, causes: number): Error {
  const error = new TypeError(message, causes > 0 ? { cause: deepError(`cause ${causes}`, causes - 1) } : {});
  error.stack = `TypeError: ${message}${FRAME.repeat(100)}`;
  return error;
}

describe("the excerpt of a failed answer", () => {
  it("is the whole answer up to the limit", () => {
    const body = toBytes(JSON.stringify({ message: "x".repeat(LIMIT - 14) }));
    expect(body).toHaveLength(LIMIT);
    expect(shortenAnswer(body, LIMIT)).toBe(body);
  });

  it.each([0, 1, 8])("keeps the messages of an error with long stacks and %i causes", (causes) => {
    const body = { ...toErrorBody(deepError("declined", causes), true), where: "step", step: STEP };
    expect(JSON.stringify(body).length).toBeGreaterThan(LIMIT);
    let error = readFailure(shortened(body), 500).thrown;
    expect(error).toMatchObject({ error: "TypeError", message: "declined", where: "step", step: STEP });
    expect(error?.stack).toMatch(/^TypeError: declined\n {4}at run/);
    for (let left = causes; left > 0; left--) {
      error = error?.cause;
      expect(error).toMatchObject({ error: "TypeError", message: `cause ${left}` });
    }
  });

  it("shortens a stack before the message", () => {
    const { thrown } = readFailure(shortened(toErrorBody(deepError("m".repeat(2000), 0), true)), 500);
    expect(thrown?.message).toBe("m".repeat(2000));
  });

  it("keeps the beginning of a long message, with a mark", () => {
    const { message, name } = readFailure(shortened(toErrorBody(deepError("m€".repeat(9000), 1), true)), 500);
    expect(message).toMatch(/^(?:m€){300,}m?… \[cut: 18000 characters\]$/);
    expect(name).toBe("TypeError");
  });

  it("keeps all errors of an AggregateError readable", () => {
    const all = new AggregateError(
      Array.from({ length: 10 }, (_, at) => deepError(`mirror ${at}`, 0)),
      "all mirrors failed",
    );
    const { thrown } = readFailure(shortened(toErrorBody(all, true)), 500);
    expect(thrown?.errors?.map(({ message }) => message)).toEqual(
      Array.from({ length: 10 }, (_, at) => `mirror ${at}`),
    );
  });

  it("keeps the small fields of another service's answer", () => {
    const answer = { error: "quota", code: 17, hint: { page: "/quota" }, trace: Array(500).fill(FRAME) };
    expect(JSON.parse(shortened(answer))).toMatchObject({
      error: "quota",
      code: 17,
      hint: { page: "/quota" },
    });
  });

  it("keeps the error and the message of an object with very many fields", () => {
    const fields = Object.fromEntries(Array.from({ length: 2000 }, (_, at) => [`field${at}`, at]));
    expect(JSON.parse(shortened({ ...fields, error: "E", message: "boom" }))).toEqual({
      error: "E",
      message: "boom",
    });
  });

  it("is the beginning of an answer that is no object, or that has nothing to keep", () => {
    const nested = "[".repeat(200_000) + "]".repeat(200_000);
    const many = JSON.stringify(Object.fromEntries(Array.from({ length: 2000 }, (_, at) => [`f${at}`, at])));
    for (const body of ["<html>".repeat(1000), JSON.stringify("s".repeat(9000)), nested, many]) {
      expect(shortened(body)).toBe(body.slice(0, LIMIT));
    }
  });

  it("ends between two characters", () => {
    for (const [text, length] of [
      ["é".repeat(5000), 2048],
      ["a€".repeat(5000), 2048],
      ["🙂".repeat(5000), 2048],
    ] as const) {
      for (const limit of [LIMIT, LIMIT - 1, LIMIT - 2, LIMIT - 3]) {
        const kept = shortened(text, limit);
        expect(kept).not.toContain("\ufffd");
        expect(text.startsWith(kept)).toBe(true);
        expect(kept.length).toBeGreaterThan(length - 8);
      }
    }
    const binary = new Uint8Array(5000).fill(0x80);
    expect(shortenAnswer(binary, LIMIT).length).toBeGreaterThan(LIMIT - 4);
  });

  it("takes an object of any depth", () => {
    const deep = `{"message":"boom","inner":${'{"a":'.repeat(100_000)}1${"}".repeat(100_000)}}`;
    expect(readFailure(shortened(deep), 500).message).toBe("boom");
  });

  it("stays within a very small limit", () => {
    for (const limit of [0, 1, 10, 64, 200]) shortened(toErrorBody(deepError("declined", 8), true), limit);
  });
});

const STEP = { id: 3, name: "charge", type: "Run" };

describe("the kept beginning of a function's answer", () => {
  const closed = (result: unknown, size: number): string => {
    const bytes = closeResult(toBytes(JSON.stringify({ result })).subarray(0, size));
    expect(bytes.length).toBeLessThanOrEqual(size);
    return JSON.parse(toText(bytes)).result;
  };

  it.each<[string, unknown, RegExp]>([
    ["an object", { mails: Array(500).fill("ann@example.com") }, /^\{"mails":\["ann@example\.com",.*"ann@/],
    ["a string", "x".repeat(LIMIT), /^"x{400,}$/],
    ["quotes and backslashes", '"\\'.repeat(LIMIT), /^"(?:\\"|\\\\){40,}\\?$/],
    ["control characters", { text: "\u0000".repeat(LIMIT) }, /^\{"text":"(?:\\u0000){40,}[\\u0]*$/],
    ["characters of several bytes", "€😀".repeat(LIMIT), /^"(?:€😀){40,}€?$/u],
  ])("is JSON again: %s", (_name, result, beginning) => {
    for (let size = 1000; size < 1010; size++) {
      const mark = `… [cut: the engine keeps ${size} bytes]`;
      const text = closed(result, size);
      expect(text.endsWith(mark)).toBe(true);
      expect(text.slice(0, -mark.length)).toMatch(beginning);
    }
  });

  it.each([
    ["that has no result", '{"message":"'.padEnd(500, "x")],
    ["that is no JSON", "<html>".repeat(100)],
    ["too short for a mark", '{"result":"abc'],
  ])("stays as it is %s", (_name, text) => {
    const beginning = toBytes(text);
    expect(closeResult(beginning)).toBe(beginning);
  });
});
