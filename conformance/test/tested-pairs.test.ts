import { readFileSync } from "node:fs";
import manifest from "@perdure/adapters/package.json" with { type: "json" };
import { describe, expect, it } from "vitest";
import { collectPairs, toTable, withTable } from "../src/tested-pairs.ts";

const readme = readFileSync(new URL("../../README.md", import.meta.url), "utf8");

describe("the pairs that are tested", () => {
  it("are what the README says, and every adapter is among them", async () => {
    const pairs = await collectPairs();
    expect(withTable(readme, toTable(pairs)), "`npm run pairs` writes the table").toBe(readme);
    const adapters = Object.keys(manifest.exports).filter((subpath) => subpath !== "./package.json");
    const tested = new Set(pairs.map(({ adapter }) => `./${adapter}`));
    expect(adapters.filter((subpath) => !tested.has(subpath))).toEqual([]);
  });

  it("have a place in the README", () => {
    expect(() => withTable("# Title\n", "")).toThrow(TypeError);
  });
});
