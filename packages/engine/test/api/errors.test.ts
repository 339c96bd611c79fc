import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { STATUS } from "../../src/http/status.ts";

it("every code of an error is documented, with its status", () => {
  const page = readFileSync(new URL("../../../../docs/errors.md", import.meta.url), "utf8");
  const [, own = ""] = page.split("## The engine's codes\n");
  const rows = [...own.matchAll(/^\| `(\w+)` \|.*\| (\d+) \|$/gm)].map(([, code, status]) => [
    code,
    Number(status),
  ]);
  expect(Object.fromEntries(rows)).toEqual(STATUS);
});
