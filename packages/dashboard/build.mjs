// node build.mjs: bundles the page into one script and one stylesheet, for the engine to serve. Does nothing where they
// are newer than their sources. Plain JavaScript, because scripts/bootstrap.mjs runs it on any Node from 20 on.
import { copyFileSync, existsSync, mkdirSync, readdirSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const HERE = import.meta.dirname ?? fileURLToPath(new URL(".", import.meta.url));
const SOURCES = join(HERE, "src");
/** The engine's own folder: it serves from here in a checkout, and from the copy in `dist` when published. */
const OUTPUT = resolve(HERE, "../engine/src/dashboard/assets");
const FILES = ["dashboard.js", "dashboard.css", "dashboard.svg"].map((name) => join(OUTPUT, name));

/** Bundles the page, unless it is up to date. */
export async function buildDashboard() {
  const sources = readdirSync(SOURCES, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name));
  const newest = Math.max(
    ...[...sources, join(HERE, "package.json"), join(HERE, "build.mjs")].map(modifiedAt),
  );
  if (FILES.every((file) => existsSync(file) && modifiedAt(file) >= newest)) return;
  mkdirSync(OUTPUT, { recursive: true });
  copyFileSync(join(SOURCES, "style", "icon.svg"), join(OUTPUT, "dashboard.svg"));
  const { build } = await import("esbuild");
  await build({
    entryPoints: [join(SOURCES, "main.tsx"), join(SOURCES, "style", "main.css")],
    entryNames: "dashboard",
    outdir: OUTPUT,
    bundle: true,
    minify: true,
    format: "esm",
    target: ["es2022", "chrome123", "firefox121", "safari17.5"],
    jsx: "automatic",
    jsxImportSource: "preact",
    legalComments: "none",
    logLevel: "error",
  });
}

function modifiedAt(file) {
  return statSync(file).mtimeMs;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await buildDashboard();
