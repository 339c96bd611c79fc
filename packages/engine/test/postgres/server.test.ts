import { spawnSync } from "node:child_process";
import { expect, it } from "vitest";

it("a process that has used the server of the tests keeps its exit code", () => {
  const script = `await import(${JSON.stringify(import.meta.resolve("@perdure/test-support/postgres-server"))}); process.exitCode = 3;`;
  const { status, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", script], {
    encoding: "utf8",
  });
  expect({ status, stderr }).toEqual({ status: 3, stderr: "" });
});
