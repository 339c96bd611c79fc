import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { testEngine } from "@perdure/test";
import { Process } from "@perdure/test-support/process";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Choice, FRAMEWORKS, type FrameworkName, USE_CASES, type UseCase } from "../src/choices.ts";
import { writeProject } from "../src/write-project.ts";

const USE_CASE_FILES = fileURLToPath(new URL("../templates/use-cases", import.meta.url));
const CLI = fileURLToPath(new URL("../src/cli.ts", import.meta.url));

const CHOICE: Omit<Choice, "folder"> = {
  framework: "hono",
  useCase: "order",
  packageManager: "npm",
  install: false,
  tarballs: undefined,
};

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "create perdure "));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Runs the command without a terminal. */
async function create(...args: string[]): Promise<{ code: number | null; said: string }> {
  const process = Process.node(CLI, args, {});
  const code = await process.ended;
  return { code, said: process.lines.join("\n") };
}

describe("create-perdure", () => {
  it("writes a project without asking when there is no terminal", async () => {
    const project = join(folder, "My App");
    const { code, said } = await create(project, "--no-install");
    expect(code).toBe(0);
    expect(said).toContain(`Wrote 8 files to ${project}.`);
    const manifest = JSON.parse(readFileSync(join(project, "package.json"), "utf8"));
    expect(manifest).toMatchObject({
      name: "my-app",
      scripts: { dev: "perdure dev -- node --watch src/server.ts" },
    });
    expect(readFileSync(join(project, "src/server.ts"), "utf8")).toContain('app.post("/order"');
  });

  it("leaves no placeholder in any file of any project", () => {
    const frameworks = Object.keys(FRAMEWORKS) as FrameworkName[];
    const useCases = Object.keys(USE_CASES) as UseCase[];
    for (const framework of frameworks)
      for (const useCase of useCases) {
        const project = join(folder, `${framework}-${useCase}`);
        const files = writeProject({ ...CHOICE, folder: project, framework, useCase });
        expect(files).toEqual(expect.arrayContaining([`src/${useCase}.ts`, `test/${useCase}.test.ts`]));
        for (const file of files)
          expect(`${file}${readFileSync(join(project, file), "utf8")}`).not.toMatch(/__(?:name|project)__/);
      }
  });

  it("names commands that the package manager has: bun test would be another runner", async () => {
    for (const [packageManager, run] of [
      ["npm", "npm run test "],
      ["pnpm", "pnpm test "],
      ["bun", "bun run test "],
    ] as const) {
      const project = join(folder, packageManager);
      writeProject({ ...CHOICE, folder: project, packageManager });
      expect(readFileSync(join(project, "README.md"), "utf8")).toContain(`\n${run}`);
    }
    const { said } = await create(join(folder, "app"), "--pm", "bun", "--no-install");
    expect(said).toContain("  bun run dev\n");
  });

  it.each(Object.entries(USE_CASES))(
    "says how a run of %s fails, with a payload that lets a step fail",
    async (name, { fails }) => {
      const [, field = "", value = ""] = /^Set `(\w+)` to `(.+)`$/.exec(fails) ?? [];
      const payload = JSON.parse(readFileSync(join(USE_CASE_FILES, `${name}.json`), "utf8"));
      expect(payload).toHaveProperty(field);
      const { [name]: workflow } = await import(join(USE_CASE_FILES, `${name}.ts`));
      await using t = await testEngine({ workflows: { [`/${name}`]: workflow } });
      const run = await t.trigger(`/${name}`, { ...payload, [field]: JSON.parse(value) });
      const { workflowState, error } = await run.end();
      expect(workflowState).toBe("RUN_FAILED");
      // As the README says.
      expect(
        run.steps.find((step) => step.name === error?.step?.name)?.attempts.map((one) => one.at),
      ).toEqual([0, 1000, 3000, 7000]);
      expect(error?.step?.name).toEqual(expect.any(String));
      expect(run.failure?.answer).toEqual({ told: expect.stringContaining(`${error?.step?.name} failed: `) });
    },
  );

  it("never writes into a folder that has files", async () => {
    writeFileSync(join(folder, "mine.txt"), "mine");
    expect(await create(folder, "--no-install")).toEqual({
      code: 2,
      said: `The folder ${folder} isn't empty. Name another one, or empty it.`,
    });
    const cloned = join(folder, "cloned");
    mkdirSync(join(cloned, ".git"), { recursive: true });
    expect((await create(cloned, "--no-install")).code).toBe(0);
  });

  it.each([
    [
      ["--framework", "rails"],
      '--framework must be one of hono, express, nextjs, cloudflare, bun, deno; got "rails".',
    ],
    [["--use-case", "none"], '--use-case must be one of order, approval, onboarding; got "none".'],
    [["--pm", "cargo"], '--pm must be one of npm, pnpm, yarn, bun; got "cargo".'],
    [["another-folder"], "There is one folder"],
    [["--frobnicate"], "Unknown option '--frobnicate'.\n\nUsage: "],
    [["--tarballs", "/nowhere"], "The folder /nowhere has no perdure-core-"],
  ])("refuses %j", async (args, message) => {
    const { code, said } = await create(join(folder, "app"), ...args, "--no-install");
    expect(code).toBe(2);
    expect(said).toContain(message);
  });

  it("prints its options", async () => {
    const { code, said } = await create("--help");
    expect(code).toBe(0);
    expect(said).toContain("--use-case <name>    order, approval, onboarding");
  });
});
