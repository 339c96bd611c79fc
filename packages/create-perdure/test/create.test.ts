import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Process } from "@perdure/test-support/process";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { FRAMEWORKS, USE_CASES } from "../src/choices.ts";

const CLI = fileURLToPath(new URL("../src/cli.ts", import.meta.url));

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

  it("leaves no placeholder in any file of any project", async () => {
    for (const framework of Object.keys(FRAMEWORKS))
      for (const useCase of Object.keys(USE_CASES)) {
        const project = join(folder, `${framework}-${useCase}`);
        const { code } = await create(
          project,
          "--framework",
          framework,
          "--use-case",
          useCase,
          "--no-install",
        );
        expect(code).toBe(0);
        for (const file of [
          "package.json",
          "README.md",
          `src/${useCase}.ts`,
          `test/${useCase}.test.ts`,
          "payload.json",
        ])
          expect(readFileSync(join(project, file), "utf8")).not.toContain("__");
      }
  });

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
    [["--frobnicate"], "Unknown option '--frobnicate'"],
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
