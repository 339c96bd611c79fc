// pnpm test [GROUP …]: turbo tasks and vitest projects, and as the last line their true sum: `N passed, N failed`.
// Without a group it runs all but those of LONG, and a sample of the longest suites; `all` runs everything.
import { spawnSync } from "node:child_process";
import { globSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { sampleOf, useSample } from "@perdure/test-support/sample";
import { startVitest, type TestModule } from "vitest/node";
import { PROJECTS } from "../vitest.config.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const RUNS = join(ROOT, ".turbo", "runs");
const TASKS = ["lint", "types", "unused", "build"];
/** Vitest projects that test the output of `build`. */
const BUILT = ["packages", "projects", "site", "nextjs", "frameworks"];
/** Left out unless they are asked for: a further installation as large as the first, and suites that run on another store anyway. */
const LONG = ["frameworks", "clients-postgres", "installed-postgres", "engine-installed-postgres"];
const GROUPS = [...TASKS, "tests", ...PROJECTS];

interface Result {
  readonly group: string;
  readonly name: string;
  readonly state: "passed" | "failed" | "skipped";
  /** The first failure of a test that passed when it was tried again. */
  readonly failedFirst?: string | undefined;
}

/** The parts of turbo's run summary that count. */
interface Summary {
  readonly tasks: readonly {
    readonly task: string;
    readonly taskId: string;
    readonly command: string;
    /** Missing when turbo never reached the task. */
    readonly execution?: { readonly exitCode?: number } | null;
  }[];
}

process.chdir(ROOT);
process.env.TURBO_TELEMETRY_DISABLED = "1";
// An npm that a test starts must not believe that it runs in this folder.
for (const name of Object.keys(process.env)) {
  if (/^npm_(?:package|lifecycle)_|^npm_config_local_prefix$|^INIT_CWD$/.test(name)) delete process.env[name];
}

const names = process.argv.slice(2);
const groups = selectGroups(names);
const sample = sampleOf({ groups: names, env: process.env, now: Date.now() });
useSample(sample);
const tasks = TASKS.filter((name) => groups.has(name));
const projects = PROJECTS.filter((name) => groups.has(name));
const results = [
  ...(tasks.length > 0 ? runTasks(tasks) : []),
  ...(projects.length > 0 ? await runProjects(projects) : []),
];
for (const group of [...tasks, ...projects]) {
  if (results.every((result) => result.group !== group))
    results.push({ group, name: "ran nothing", state: "failed" });
}
process.exit(report(results));

function selectGroups(names: readonly string[]): Set<string> {
  const unknown = names.filter((name) => name !== "all" && !GROUPS.includes(name));
  if (unknown.length > 0) {
    console.error(`There is no group ${unknown.join(", ")}. Groups: ${GROUPS.join(", ")}, and all.`);
    console.log("\n0 passed, 1 failed");
    process.exit(1);
  }
  if (names.length === 0) return new Set(GROUPS.filter((name) => !LONG.includes(name)));
  if (names.includes("all")) return new Set(GROUPS);
  const tests = names.includes("tests") ? PROJECTS.filter((name) => ![...BUILT, ...LONG].includes(name)) : [];
  const build = names.some((name) => BUILT.includes(name)) ? ["build"] : [];
  return new Set([...names, ...tests, ...build]);
}

/** Each task of each package counts as one. */
function runTasks(names: readonly string[]): Result[] {
  rmSync(RUNS, { recursive: true, force: true });
  // A file of an earlier build must not be published.
  if (names.includes("build"))
    for (const dist of globSync("packages/*/dist")) rmSync(dist, { recursive: true });
  const flags = ["--continue=always", "--summarize", "--output-logs=errors-only", "--ui=stream"];
  const { status } = spawnSync("turbo", ["run", ...names, ...flags], { stdio: "inherit" });
  const [file] = readdirSync(RUNS);
  const { tasks } = JSON.parse(readFileSync(join(RUNS, file ?? ""), "utf8")) as Summary;
  const counted = tasks
    .filter(({ task, command }) => names.includes(task) && command !== "<NONEXISTENT>")
    .map(({ task: group, taskId, execution }): Result => {
      return { group, name: taskId, state: execution?.exitCode === 0 ? "passed" : "failed" };
    });
  if (status !== 0 && counted.every(({ state }) => state === "passed"))
    counted.push({ group: names[0] ?? "", name: `turbo exited with ${status}`, state: "failed" });
  return counted;
}

/** Each test counts as one; so does an error outside of a test. */
async function runProjects(project: string[]): Promise<Result[]> {
  // Tests start the same programs by the hundred: the first one's compiled code serves the others.
  const cache = mkdtempSync(join(tmpdir(), "perdure-compiled-"));
  process.env.NODE_COMPILE_CACHE = cache;
  // One test of twelve thousand that a busy machine breaks must not say that all have failed. The report names it.
  const vitest = await startVitest([], { run: true, project, retry: 1 });
  await vitest.close();
  rmSync(cache, { recursive: true, force: true });
  const counted = vitest.state.getTestModules().flatMap(resultsOf);
  const unhandled = vitest.state.getUnhandledErrors().length;
  const failing = counted.some(({ state }) => state === "failed");
  if (unhandled > 0 || (process.exitCode && !failing))
    counted.push({
      group: project[0] ?? "",
      name: "vitest reports an error outside of tests",
      state: "failed",
    });
  return counted;
}

function resultsOf(module: TestModule): Result[] {
  const group = module.project.name;
  const tests = [...module.children.allTests()].map((test): Result => {
    const { state, errors = [] } = test.result();
    const name = `${module.relativeModuleId} › ${test.fullName}`;
    const failedFirst = test.diagnostic()?.flaky ? placesOf(errors[0]?.stack) : undefined;
    return { group, name, state: state === "pending" ? "failed" : state, failedFirst };
  });
  const broken = module.state() === "failed" && tests.every(({ state }) => state !== "failed");
  return broken ? [...tests, { group, name: module.relativeModuleId, state: "failed" }] : tests;
}

/** An error with the lines of its stack that lie in this repository. */
function placesOf(stack = "It threw no error."): string {
  const lines = stack.split("\n").filter((line) => !line.includes("node_modules"));
  return lines.join("\n").replaceAll(ROOT, "");
}

/** @returns the exit code */
function report(results: readonly Result[]): number {
  const count = (state: Result["state"], group?: string): number =>
    results.filter((one) => one.state === state && (group ?? one.group) === one.group).length;
  console.log();
  for (const { group, name, failedFirst } of results)
    if (failedFirst !== undefined)
      console.log(`~ ${group}: ${name} passed at its second try. ${failedFirst}\n`);
  for (const { group, name, state } of results) if (state === "failed") console.log(`✗ ${group}: ${name}`);
  for (const group of new Set(results.map((result) => result.group))) {
    const [failed, skipped] = [count("failed", group), count("skipped", group)];
    const rest = `${failed ? `, ${failed} failed` : ""}${skipped ? `, ${skipped} skipped` : ""}`;
    console.log(`${failed ? "✗" : "✓"} ${group.padEnd(12)} ${count("passed", group)} passed${rest}`);
  }
  if (sample !== undefined)
    console.log(`\nThe longest suites have run sample ${sample}. All of their cases: npm test -- all`);
  console.log(`\n${count("passed")} passed, ${count("failed")} failed`);
  return count("failed") === 0 && count("passed") > 0 ? 0 : 1;
}
