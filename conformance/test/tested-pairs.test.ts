import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { collectPairs, toTable, withTable } from "../src/tested-pairs.ts";

const readme = readFileSync(new URL("../../README.md", import.meta.url), "utf8");

describe("the pairs that are tested", () => {
  it("are what the README says", { timeout: 60_000 }, async () => {
    const pairs = await collectPairs();
    expect(withTable(readme, toTable(pairs)), "`npm run pairs` writes the table").toBe(readme);
  });

  it("have a place in the README", () => {
    expect(() => withTable("# Title\n", "")).toThrow(TypeError);
  });
});
