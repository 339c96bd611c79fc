import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pack, ROOT, run } from "@perdure/test-support/pack";
import { sampled } from "@perdure/test-support/sample";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const TOOLS = join(ROOT, "tools", "node_modules");
const BIN = join(TOOLS, ".bin");
const NODE22 = join(TOOLS, "node22", "bin", "node");
const JEST = ["--experimental-vm-modules", join(TOOLS, "jest", "bin", "jest.js"), "--ci"];
const folder = mkdtempSync(join(tmpdir(), "perdure-runners-"));

const IMPORTS = 'import { serve } from "@perdure/core";\nimport { testEngine } from "@perdure/test";';
const REQUIRES =
  'const { serve } = require("@perdure/core");\nconst { testEngine } = require("@perdure/test");';
const BODY = `
  const order = serve(async (context) => {
    const charge = await context.run("charge", () => ({ id: "real" }));
    await context.sleep("wait for the van", "3d");
    return charge.id;
  });
  const t = await testEngine({ workflows: { "/order": order } });
  const run = await t.trigger(order, { id: "1" });
  run.mock("charge", { error: new Error("declined"), times: 1 });
  run.mock("charge", { result: { id: "mocked" } });
  await run.until({ step: "wait for the van" });
  if ((await run.result()) !== "mocked") throw new Error("another result");
  await t.close();
`;

interface Runner {
  readonly name: string;
  /** The name of the test's file, whose ending says how Node loads it. */
  readonly file: string;
  /** The lines in front of the test. */
  readonly head: string;
  readonly test?: string;
  readonly command: readonly [string, ...string[]];
}

const RUNNERS: readonly Runner[] = [
  {
    name: "node:test",
    file: "order.test.mjs",
    head: `import { test } from "node:test";\n${IMPORTS}`,
    command: [process.execPath, "--test", "order.test.mjs"],
  },
  {
    name: "node:test on Node 22, with require",
    file: "order.test.cjs",
    head: `const { test } = require("node:test");\n${REQUIRES}`,
    command: [NODE22, "--test", "order.test.cjs"],
  },
  { name: "jest", file: "order.test.mjs", head: IMPORTS, command: [process.execPath, ...JEST] },
  {
    name: "jest, with require",
    file: "order.test.cjs",
    head: REQUIRES,
    command: [process.execPath, ...JEST],
  },
  {
    name: "bun test",
    file: "order.test.mjs",
    head: `import { test } from "bun:test";\n${IMPORTS}`,
    command: [join(BIN, "bun"), "test", "./order.test.mjs"],
  },
  {
    name: "deno test",
    file: "order.test.mjs",
    head: IMPORTS,
    test: "Deno.test",
    command: [
      join(BIN, "deno"),
      "test",
      "--allow-all",
      "--no-check",
      "--node-modules-dir=manual",
      "order.test.mjs",
    ],
  },
];

describe("a test with the packed test kit", () => {
  beforeAll(() => {
    for (const name of ["core", "engine", "test"]) pack(name, folder);
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it.each(sampled(RUNNERS, 3))("runs under $name, and fails there when a mock is unused", (runner) => {
    const { name, file, head, test = "test", command } = runner;
    const project = join(folder, name.replace(/\W+/g, "-"));
    mkdirSync(project);
    writeFileSync(
      join(project, "package.json"),
      JSON.stringify({ private: true, jest: { testMatch: ["**/*.test.{mjs,cjs}"], transform: {} } }),
    );
    const [program, ...args] = command;
    const write = (body: string) =>
      writeFileSync(join(project, file), `${head}\n${test}("order", async () => {${body}});\n`);
    write(BODY);
    run(program, args, project);
    write(BODY.replace("await t.close();", 'run.mock("shop", { result: 1 });\n  await t.close();'));
    expect(() => run(program, args, project)).toThrow(
      'the mock of step "shop" was used 0 of at least 1 times',
    );
  });
});
