import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Example, examplesOf, linksOf, type Page, readPages } from "./docs/pages.ts";
import { EngineProcess, temporaryFolder } from "./support/process.ts";
import { environment } from "./support/views.ts";

const E2E = fileURLToPath(new URL("..", import.meta.url));
const TSC = join(E2E, "..", "node_modules", "typescript", "lib", "tsc.js");
/** Pages that show nothing of their own. */
const WITHOUT_EXAMPLE = ["README.md", "docs/README.md", "docs/migrating.md"];

const pages = readPages();
const examples = pages.flatMap((page) => page.examples);
const runnable = examples.filter((example) => example.output !== undefined);

describe("the pages of the documentation", () => {
  const database = temporaryFolder();
  let folder: string;
  let engine: EngineProcess;
  beforeAll(async () => {
    // Beside the tests, so that the examples find the packages.
    folder = mkdtempSync(join(E2E, ".docs-"));
    for (const { file, code } of examples) writeFileSync(join(folder, file), code);
    engine = await EngineProcess.start(join(database.path, "docs.db"));
  });
  afterAll(async () => {
    await engine?.process.kill("SIGTERM");
    rmSync(folder, { recursive: true, force: true });
    database.remove();
  });

  /** Standard output and error of a process of Node, and how it ended. */
  function node(args: readonly string[], env: Record<string, string> = {}): Promise<Printed> {
    const options = { cwd: folder, env: { PATH: process.env.PATH ?? "", ...env }, timeout: 40_000 };
    return new Promise((done) => {
      execFile(process.execPath, args, options, (error, out, err) =>
        done({ code: error ? (error.code ?? error.signal) : 0, out, err }),
      );
    });
  }

  it.concurrent.each(runnable)("$name prints what the page says", async ({ file, output }) => {
    const printed = await node([join(folder, file)], environment(engine.url));
    expect(printed, printed.err).toMatchObject({ code: 0, out: output });
  });

  it.concurrent("hold TypeScript that is right", async () => {
    const config = {
      extends: "../tsconfig.json",
      // Whoever explains something need not use it.
      compilerOptions: { noUnusedLocals: false, noUnusedParameters: false },
      include: ["*.ts"],
    };
    writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(config));
    const { code, out } = await node([TSC, "-p", "."]);
    expect(out).toBe("");
    expect(code).toBe(0);
  });

  it.each(pages.filter(({ name }) => !WITHOUT_EXAMPLE.includes(name)))("$name has an example", (page) => {
    expect(page.examples.filter(({ output }) => output !== undefined)).not.toEqual([]);
  });

  it.each(pages)("$name links to what is there", (page) => {
    const broken = linksOf(page).filter(({ file, anchor }) => {
      const target = pages.find(({ path }) => path === file);
      return !existsSync(file) || (anchor !== undefined && !target?.anchors.includes(anchor));
    });
    expect(broken).toEqual([]);
  });

  it("are all in the index", () => {
    const index = pages.find(({ name }) => name === "docs/README.md") as Page;
    const listed = [index.path, ...linksOf(index).map(({ file }) => file)];
    const others = pages.filter(({ name }) => name.startsWith("docs/")).map(({ path }) => path);
    expect(listed).toEqual(expect.arrayContaining(others));
  });
});

interface Printed {
  /** 0 for a good end; else the exit code, or the signal that ended it. */
  readonly code: unknown;
  readonly out: string;
  readonly err: string;
}

describe("an example", () => {
  const fence = (info: string, code: string) => `\`\`\`${info}\n${code}\n\`\`\`\n`;

  it("is each TypeScript block, with what a comment declares, and its output if it runs", () => {
    const page = `${fence("sh", "ls")}<!-- ts\ndeclare const a: 1;\n-->\n${fence("ts", "a;")}${fence("ts runnable", "b")}\n${fence("text", "1\n2")}`;
    expect(examplesOf("a/b.md", page)).toEqual<Example[]>([
      { name: "a/b.md:8", file: "a-b-md-8.ts", code: "declare const a: 1;\na;\n", output: undefined },
      { name: "a/b.md:11", file: "a-b-md-11.ts", code: "b\n", output: "1\n2\n" },
    ]);
  });

  it("that runs says what it prints", () => {
    expect(() => examplesOf("a.md", fence("ts runnable", "b"))).toThrow("a.md:2 is runnable");
  });
});
