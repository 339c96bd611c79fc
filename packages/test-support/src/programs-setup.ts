import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build, type Plugin } from "esbuild";
import type { TestProject } from "vitest/node";
import { BUNDLES, bundleOf } from "./programs.ts";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));

/** The programs that tests start most often. */
const PROGRAMS = [
  "packages/engine/src/cli.ts",
  "packages/test-support/src/postgres-dev.ts",
  "e2e/chaos/endpoint.ts",
  "e2e/test/failures/endpoint.ts",
  "e2e/test/support/dying-app.ts",
  "e2e/test/support/one-process-app.ts",
];
/** The store's threads, which it looks for beside itself. */
const THREADS = "packages/engine/src/sqlite-thread.ts";
const STORE = "open-sqlite.ts";

/** Modules that were written for CommonJS look for these. */
const COMMONJS = `import { createRequire as createRequireOf } from "node:module";
const require = createRequireOf(import.meta.url);
const __dirname = import.meta.dirname;`;

/** A source finds its files, such as the migrations, where they are. */
const atItsPlace: Plugin = {
  name: "at its place",
  setup({ onLoad }) {
    onLoad({ filter: /\/packages\/[^/]+\/src\/.*\.ts$/ }, async ({ path }) => {
      if (basename(path) === STORE) return undefined;
      const source = await readFile(path, "utf8");
      const url = JSON.stringify(pathToFileURL(path).href);
      return { loader: "ts", contents: source.replaceAll("import.meta.url", url) };
    });
  },
};

/**
 * Bundles the programs that tests start, for {@link programOf}, and gives them a cache of compiled code: the first process
 * fills it. Does nothing when another project has done so.
 *
 * @returns the function that deletes them
 */
export async function setup(project: TestProject): Promise<(() => void) | undefined> {
  // `vitest list` only names the tests.
  if (process.env[BUNDLES] !== undefined || process.argv.includes("list")) return undefined;
  const folder = mkdtempSync(join(tmpdir(), "perdure programs "));
  process.env[BUNDLES] = folder;
  process.env.NODE_COMPILE_CACHE ??= join(folder, "compiled");
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
  await bundle(folder);
  project.onTestsRerun(() => bundle(folder));
  return () => rmSync(folder, { recursive: true, force: true });
}

async function bundle(folder: string): Promise<void> {
  const programs = PROGRAMS.map((program) => [bundleOf(join(ROOT, program)).replace(/\.js$/, ""), program]);
  const threads = [basename(THREADS, ".ts"), THREADS];
  await build({
    entryPoints: Object.fromEntries([...programs, threads]),
    absWorkingDir: ROOT,
    outdir: folder,
    bundle: true,
    // A command is loaded when it is asked for, as from source.
    splitting: true,
    // Each process reads less code. Names, and lines short enough for a stack, are kept.
    minifyWhitespace: true,
    minifySyntax: true,
    lineLimit: 120,
    platform: "node",
    format: "esm",
    target: "node24",
    banner: { js: COMMONJS },
    plugins: [atItsPlace],
    logLevel: "error",
  });
}
