// The groups of `npm test`, in their order. Each yields checks: { name, ok, output }, each of which counts as one.
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { buildApps, OTHER_APPS } from "./apps.mjs";
import { run } from "./child.mjs";
import { checkTarball, pack } from "./package.mjs";
import { environment, packageFolders, ROOT, readJson } from "./paths.mjs";

export const GROUPS = { lint, types, build, packages, unused, tests, nextjs, frameworks };

/** What runs only where it is named: it installs as much again as all of the others. */
export const ON_REQUEST = ["frameworks"];

/** Formatting, lint and the layer rules: one check a package, and one for what lies outside of them. */
async function* lint() {
  const biome = (...paths) =>
    tool("biome", ["check", "--error-on-warnings", "--max-diagnostics=100", ...paths]);
  const folders = packageFolders();
  const taken = new Set(["node_modules", ...folders.map((folder) => folder.split("/")[0])]);
  const others = readdirSync(ROOT).filter((name) => !taken.has(name) && !name.startsWith("."));
  const places = [["workspace", others], ...folders.map((folder) => [folder, [folder]])];
  // Each run reads the whole workspace. So one looks at everything, and where that is well, so is each part of it.
  const whole = await biome(".");
  let failed = 0;
  for (const [name, paths] of places) {
    const part = whole.ok ? whole : await biome(...paths);
    if (!part.ok) failed += 1;
    yield { name, ...part };
  }
  if (!whole.ok && failed === 0) yield { name: "biome", ...whole };
}

async function* types() {
  yield { name: "workspace", ...(await tool("tsc", ["-p", "tools"])) };
  yield* turbo("types");
}

/** From nothing: a file of an older build must not be published. */
async function* build() {
  for (const folder of packageFolders()) rmSync(join(ROOT, folder, "dist"), { recursive: true, force: true });
  yield* turbo("build");
}

/** What would be published, as it would be published. */
async function* packages() {
  const folder = mkdtempSync(join(tmpdir(), "perdure-packed-"));
  try {
    const packed = [];
    for (const source of packageFolders().filter((each) => !manifestOf(each).private)) {
      packed.push(await pack(source, folder));
      yield packed.at(-1).check;
    }
    for (const each of packed) yield* checkTarball(each, folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Files, exports and dependencies that nothing uses. */
async function* unused() {
  yield { name: "knip", ...(await tool("knip", ["--no-progress"])) };
}

async function* tests() {
  yield* vitest(["--project=!nextjs", "--project=!frameworks"]);
}

/** The conformance suite against Next.js, as a production build. */
async function* nextjs() {
  yield* builtApps("nextjs", ["nextjs"]);
}

/** The same against the other frameworks that have a build of their own. */
async function* frameworks() {
  yield* builtApps("frameworks", OTHER_APPS);
}

/** Builds the applications, and runs the tests of those that could be built. */
async function* builtApps(project, names) {
  const built = [];
  for await (const { app, ...check } of buildApps(names)) {
    if (check.ok) built.push(`conformance/frameworks/${app}.test.ts`);
    yield check;
  }
  if (built.length > 0) yield* vitest([`--project=${project}`, ...built]);
}

/** Every test counts as one; a file that can't be loaded, and a run that crashes or finds no test, as a failed one. */
async function* vitest(selection) {
  const folder = mkdtempSync(join(tmpdir(), "perdure-tests-"));
  try {
    const file = join(folder, "results.json");
    const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${file}`];
    // The processes that tests start by the hundred are mostly ours: what Node has compiled once is kept for the others.
    const env = environment({ NODE_COMPILE_CACHE: join(folder, "compiled") });
    const { code } = await run("vitest", ["run", ...selection, ...reporters], { cwd: ROOT, env });
    const results = testResults(readJson(file));
    yield* results;
    if (results.length === 0) yield { name: "vitest", ok: false, output: "it ran no test" };
    else if (code !== 0 && results.every(({ ok }) => ok)) {
      yield { name: "vitest", ok: false, output: `it exited with ${code}: see its own output above` };
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function testResults(report) {
  return (report?.testResults ?? []).flatMap((file) => {
    const path = relative(ROOT, file.name);
    const tests = file.assertionResults.map((test) => ({
      name: `${path} › ${test.fullName}`,
      ok: test.status !== "failed",
      skipped: !["passed", "failed"].includes(test.status),
      output: withoutTheRunner(test.failureMessages?.join("\n")),
      quiet: true,
    }));
    const broken = file.status === "failed" && tests.every(({ ok }) => ok);
    return broken
      ? [
          ...tests,
          { name: path, ok: false, output: file.message || "see the output of vitest above", quiet: true },
        ]
      : tests;
  });
}

/** A failure's message, less the lines of its stack that are in a dependency. */
const withoutTheRunner = (message) => message?.replaceAll(/^ +at .*node_modules.*\n?/gm, "");

/** One turbo task in every package that has it. A package whose task was never reached has failed. */
async function* turbo(task) {
  const flags = ["--continue=always", "--summarize", "--output-logs=none", "--ui=stream"];
  const { ok, output } = await tool("turbo", ["run", task, ...flags]);
  const summary = readJson(/Summary: +(.+\.json)/.exec(output)?.[1] ?? join(ROOT, "no summary"));
  const ran = new Map(summary?.tasks.map((each) => [each.taskId, each]));
  const folders = packageFolders().filter((folder) => manifestOf(folder).scripts?.[task] !== undefined);
  let failed = 0;
  for (const folder of folders) {
    const result = ran.get(`${manifestOf(folder).name}#${task}`);
    const passed = result?.execution?.exitCode === 0;
    if (!passed) failed += 1;
    const log = join(ROOT, result?.logFile ?? "no log");
    yield { name: folder, ok: passed, output: existsSync(log) ? readFileSync(log, "utf8") : output };
  }
  if (!ok && failed === 0) yield { name: "turbo", ok, output };
}

async function tool(command, args) {
  const { code, output } = await run(command, args, { capture: true, cwd: ROOT, env: environment() });
  return { ok: code === 0, output };
}

const manifestOf = (folder) => readJson(join(ROOT, folder, "package.json"));
