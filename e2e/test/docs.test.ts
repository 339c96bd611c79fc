import { execFile } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { INHERITED } from "@perdure/test-support/inherited";
import { CLI, EngineProcess, environment, steadyPort, temporaryFolder } from "@perdure/test-support/process";
import { sampled } from "@perdure/test-support/sample";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { migrated } from "./docs/migrated.ts";
import {
  checksOf,
  commandsOf,
  type Example,
  examplesOf,
  filesOf,
  linksOf,
  type Page,
  type Runtime,
  readPages,
  typedTablesOf,
} from "./docs/pages.ts";

// Each example is a process. More of them at once would end no sooner, and tests in them wait for a run for four seconds at most.
vi.setConfig({ maxConcurrency: 2 });
afterAll(() => vi.resetConfig());

const E2E = fileURLToPath(new URL("..", import.meta.url));
const ROOT = join(E2E, "..");
const BIN = join(E2E, "node_modules", ".bin");
const TSC = join(ROOT, "node_modules", "typescript", "bin", "tsc");
const INDEXES = ["docs/README.md", "docs/quickstarts/README.md"];
const pages = readPages();
const APPS = join(ROOT, "conformance", "frameworks");
/** Those whose code is files of the application of that name, which is built and run there. */
const ofApps = pages
  .filter((page) => filesOf(page).length > 0)
  .map((page) => ({ ...page, app: basename(page.path, ".md") }));
/** Pages of reference, and pages whose code runs elsewhere. */
const WITHOUT_EXAMPLE = [
  ...["README.md", ...INDEXES, "docs/quickstarts/cloudflare.md"],
  ...[
    "api",
    "backups",
    "commands",
    "commonjs",
    "comparison",
    "dashboard",
    "destinations",
    "engine",
    "glossary",
    "guarantees",
    "how-it-works",
    "inline-execution",
    "limits",
    "live-stream",
    "migrating",
    "migrating-differences",
    "migrating-from-inngest",
    "migrating-from-temporal",
    "monitoring",
    "nestjs",
    "observability",
    "older-clients",
    "operations",
    "overload",
    "performance",
    "postgres",
    "protocol",
    "results",
    "secrets",
    "testing-faults",
    "troubleshooting",
    "tunnels",
    "versions",
    "waiting-for-runs",
    "ways-to-fail",
  ].map(pageNamed),
  ...pages.filter(({ name }) => name.startsWith("docs/deploy/")).map(({ name }) => name),
  ...ofApps.map(({ name }) => name),
];
const examples = pages.flatMap((page) => page.examples);
const migrating = pages.find(({ name }) => name === "docs/migrating.md") as Page;
const application = migrated(migrating.text);
const deno = pages.find(({ name }) => name === "docs/quickstarts/deno.md") as Page;
/** What runs an example; Deno with the permissions that its page names. */
const COMMANDS: Readonly<Record<Runtime, readonly string[]>> = {
  node: [process.execPath],
  bun: [join(BIN, "bun")],
  deno: [join(BIN, "deno"), "run", "--no-prompt", ...(deno.text.match(/--allow-\S+/g) ?? [])],
};
const ENVIRONMENT = { ...INHERITED, HOME: process.env.HOME ?? "" };
const runnable = examples.flatMap(({ run, ...example }) => (run ? [{ ...example, ...run }] : []));

describe("the pages of the documentation", () => {
  const database = temporaryFolder();
  let folder: string;
  let engine: EngineProcess;
  beforeAll(async () => {
    // Beside the tests, so that the examples find the packages.
    folder = mkdtempSync(join(E2E, ".docs-"));
    copyFileSync(join(E2E, "test", "docs", "listen.ts"), join(folder, "listen.ts"));
    for (const { file, code } of application) writeFileSync(join(folder, file), code);
    for (const { file } of examples) mkdirSync(join(folder, dirname(file)), { recursive: true });
    for (const { file, code } of examples) writeFileSync(join(folder, file), code);
    writeFileSync(join(folder, "tables.ts"), checksOf(pages.flatMap(typedTablesOf)));
    engine = await EngineProcess.start(join(database.path, "docs.db"));
  });
  afterAll(async () => {
    await engine?.process.kill("SIGTERM");
    rmSync(folder, { recursive: true, force: true });
    database.remove();
  });

  /** Standard output and error of a process, and how it ended. */
  function run(command: string, args: readonly string[], env: Record<string, string> = {}): Promise<Printed> {
    const options = { cwd: folder, env: { ...ENVIRONMENT, ...env }, timeout: 150_000 };
    return new Promise((done) => {
      execFile(command, args, options, (error, out, err) =>
        done({ code: error ? (error.code ?? error.signal) : 0, out, err }),
      );
    });
  }

  it.concurrent.each(sampled(runnable, 2))(
    "$name prints what the page says",
    async ({ on, file, output, listens }) => {
      const [command = "", ...args] = COMMANDS[on];
      const PORT = listens ? String(await steadyPort()) : "0";
      const printed = await run(command, [...args, file], {
        ...underBothNames(environment(engine.url)),
        PORT,
      });
      expect(printed, printed.err).toMatchObject({ code: 0, out: output });
    },
  );

  it("change nothing of an application but its imports, when it comes from @upstash/workflow", () => {
    expect(application.map(({ file }) => file)).toEqual(["migrated-operated.ts", "migrated-served.ts"]);
    for (const { code } of application) {
      expect(code).toContain('from "@perdure/core"');
      expect(code).not.toContain('"@upstash');
    }
  });

  it("show commands that there are, with flags that they have", async () => {
    const { out } = await run(process.execPath, [CLI, "completion", "bash"]);
    const rows = [...out.matchAll(/^ {4}"([^"]*)"\) echo "([^"]*)"/gm)];
    const words = new Map(rows.map(([, command = "", list = ""]) => [command, list.split(" ")]));
    const shown = pages.flatMap((page) => commandsOf(page).map((args) => ({ page: page.name, args })));
    const wrong = shown.filter(({ args }) => {
      const [name = "", second = ""] = args;
      const flags = words.get(`${name} ${second}`) ?? words.get(name);
      return !flags || args.some((one) => one.startsWith("--") && !flags.includes(one));
    });
    // The names of connections.
    const named = /^(?:control|background|listen|migrate)$/;
    expect(wrong.filter(({ args }) => !named.test(args.join(" ")))).toEqual([]);
    expect(shown.length).toBeGreaterThan(60);
  });

  it("have tables of options", () => {
    expect(pages.flatMap(typedTablesOf).length).toBeGreaterThan(12);
  });

  // That application among it, and a check of each table of options.
  it.concurrent("hold TypeScript that is right", async () => {
    const config = {
      extends: "../tsconfig.json",
      // Whoever explains something need not use it.
      compilerOptions: { noUnusedLocals: false, noUnusedParameters: false },
      include: ["**/*.ts"],
    };
    writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(config));
    const { code, out } = await run(process.execPath, [TSC, "--singleThreaded", "-p", "."]);
    expect(out).toBe("");
    expect(code).toBe(0);
  });

  it.each(pages.filter(({ name }) => !WITHOUT_EXAMPLE.includes(name)))("$name has an example", (page) => {
    expect(page.examples.filter(({ run }) => run)).not.toEqual([]);
  });

  it.each(ofApps)("$name shows what is built in conformance/frameworks/$app", (page) => {
    const files = filesOf(page);
    expect(files.length).toBeGreaterThan(1);
    for (const { path, content } of files)
      expect(content).toBe(readFileSync(join(APPS, page.app, path), "utf8"));
  });

  it("are written for each of the frameworks there", () => {
    const apps = readdirSync(APPS).filter((name) => existsSync(join(APPS, name, "package.json")));
    expect(ofApps.map(({ app }) => app).sort()).toEqual(apps.sort());
  });

  it.each(pages)("$name links to what is there", (page) => {
    const broken = linksOf(page).filter(({ file, anchor }) => {
      const target = pages.find(({ path }) => path === file);
      return !existsSync(file) || (anchor !== undefined && !target?.anchors.includes(anchor));
    });
    expect(broken).toEqual([]);
  });

  it("explain every code of an error, and no other", () => {
    const codes = [
      ...codesIn("core/src/util/errors.ts", "WorkflowErrorCode"),
      ...codesIn("engine/src/rules/engine-error.ts", "EngineErrorCode"),
    ];
    const page = pages.find(({ name }) => name === "docs/errors.md")?.text ?? "";
    const cells = [...page.matchAll(/^\| (`[^|]*) \|/gm)].flatMap(
      ([, cell = ""]) => cell.match(/\w+/g) ?? [],
    );
    expect(codes.length).toBeGreaterThan(20);
    expect([...new Set(cells)].sort()).toEqual([...new Set(codes)].sort());
  });

  it("have a remedy for every code of a WorkflowError", () => {
    const page = pages.find(({ name }) => name === "docs/troubleshooting.md")?.text ?? "";
    const [tables = ""] = page.split("\n## The engine's lines\n");
    const named = new Set([...tables.matchAll(/`([a-z]+(?:_[a-z]+)*)`/g)].map(([, code = ""]) => code));
    const codes = codesIn("core/src/util/errors.ts", "WorkflowErrorCode");
    expect(codes.filter((code) => !named.has(code))).toEqual([]);
  });

  it("say beside the README's example that steps may run twice", () => {
    const example = pages.find(({ name }) => name === "README.md")?.text.split("\n## Try it\n")[0];
    expect(example).toContain("](docs/steps-may-run-twice.md)");
  });

  it("are all in an index", () => {
    const indexes = pages.filter(({ name }) => INDEXES.includes(name));
    const listed = ["docs/README.md", ...indexes.flatMap(linksOf).map(({ file }) => relative(ROOT, file))];
    const others = pages.map(({ name }) => name).filter((name) => name.startsWith("docs/"));
    expect(listed).toEqual(expect.arrayContaining(others));
  });
});

/** The variables under both of their names: pages use Perdure's, and the official clients QStash's. */
function underBothNames(env: Readonly<Record<string, string>>): Record<string, string> {
  const ours = Object.entries(env).map(([name, value]) => [name.replace("QSTASH", "PERDURE"), value]);
  return { ...env, ...Object.fromEntries(ours) };
}

/** The members of a union of strings that a package declares. */
function codesIn(file: string, type: string): string[] {
  const source = readFileSync(join(ROOT, "packages", file), "utf8");
  const [, union = ""] = new RegExp(`type ${type} =([^;]*);`).exec(source) ?? [];
  return [...union.matchAll(/"(\w+)"/g)].map(([, code = ""]) => code);
}

function pageNamed(name: string): string {
  return `docs/${name}.md`;
}

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
      { name: "a/b.md:8", file: "a-b-md/8.ts", code: "declare const a: 1;\na;\n", run: undefined },
      {
        name: "a/b.md:11",
        file: "a-b-md/11.ts",
        code: "b\n",
        run: { on: "node", output: "1\n2\n", listens: false },
      },
    ]);
  });

  it("may be served, or run after a file of its page, by a comment that isn't shown", () => {
    const url = 'trigger("http://localhost:3000/order")';
    const page = `<!-- file: app.ts -->\n\n${fence("ts", "listen(3000)")}
<!-- serves: order, refund -->\n${fence("ts runnable", url)}${fence("text", "1")}
<!-- with: app.ts -->\n${fence("ts runnable", "b")}${fence("text", "1")}`;
    const [app, served, after] = examplesOf("a.md", page);
    expect(app).toMatchObject({
      file: "a-md/app.ts",
      code: "listen(Number(process.env.PORT))\n",
      run: undefined,
    });
    expect(served?.code.split("\n")).toEqual([
      'import { listen } from "../listen.ts";',
      "await listen(Number(process.env.PORT), () => ({ order, refund }));",
      `trigger(\`http://localhost:\${process.env.PORT}/order\`)`,
      "process.exit();",
      "",
    ]);
    expect(after?.code).toBe('import "./app.ts";\nb\nprocess.exit();\n');
  });

  it("that runs says what it prints", () => {
    expect(() => examplesOf("a.md", fence("ts runnable", "b"))).toThrow("a.md:2 is runnable");
  });
});
