import { describe, expect, it } from "vitest";
import { toJsonBody } from "../../src/http/json-answer.ts";

const SLICE = 64 * 1024;
const textOf = (value: unknown): Promise<string> => new Response(toJsonBody(value)).text();

describe("a large answer", () => {
  const long = "x".repeat(5 * SLICE);
  it.each<[string, unknown]>([
    ["a string", long],
    ["strings in lists and objects", { a: [long, { b: long, c: [] }], d: {}, e: null, f: [[]] }],
    ["fields that are undefined", { a: undefined, b: long, c: undefined, d: [undefined, long] }],
    ["many small things", Array.from({ length: 20_000 }, (_, at) => ({ at, name: `item ${at}` }))],
    ["names and values to escape", { '"\n\u2028': `${long}"\\\n\u0000\u2028`, é: "é".repeat(5 * SLICE) }],
    ["nothing but one long string in a list", [long]],
    ["half a character", `${long}\ud800${long}`],
  ])("has %s as JSON.stringify has it", async (_what, value) => {
    expect(toJsonBody(value)).toBeInstanceOf(ReadableStream);
    expect(await textOf(value)).toBe(JSON.stringify(value));
  });

  it("keeps characters of two halves whole, wherever a slice ends", async () => {
    for (let before = 0; before < 4; before++) {
      const value = [`${"x".repeat(before)}${"😀".repeat(3 * SLICE)}`];
      expect(await textOf(value)).toBe(JSON.stringify(value));
    }
  });

  it("that is small is written at once", () => {
    for (const value of [{}, [], "x", { a: "x".repeat(1000) }])
      expect(toJsonBody(value)).toBe(JSON.stringify(value));
  });
});
