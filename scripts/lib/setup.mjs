// Installs what the lockfile says, once: pnpm comes through npm, Node 24 as a package of the workspace.
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { run } from "./child.mjs";
import { manifest, NODE, packageFolders, plainEnvironment, ROOT } from "./paths.mjs";

const STAMP = join(ROOT, "node_modules", ".perdure-setup");

/** Ends the process with the installer's own words where it fails. */
export async function setup() {
  const wanted = fingerprint();
  if (isInstalled() && readOrNothing(STAMP) === wanted) return;
  const start = performance.now();
  const version = manifest.devDependencies.node;
  process.stderr.write(`Installing dependencies (${manifest.packageManager}, node@${version}) …\n`);
  const { code, output } = await pnpm(["install", "--frozen-lockfile"], { capture: true });
  if (code !== 0) throw new SetupError(`${output.trimEnd()}\n\n${hint(output)}`);
  const node = await run(NODE, ["--version"], { capture: true });
  if (node.output.trim() !== `v${version}`)
    throw new SetupError(`${NODE} is no Node ${version}: ${node.output}`);
  writeFileSync(STAMP, wanted);
  process.stderr.write(`Installed in ${((performance.now() - start) / 1000).toFixed(1)} s.\n`);
}

/** A cleaning of the checkout may have taken a part away. */
function isInstalled() {
  return [NODE, ...packageFolders().map((folder) => join(ROOT, folder, "node_modules"))].every((path) =>
    existsSync(path),
  );
}

export class SetupError extends Error {}

/** The pinned pnpm, on the workspace. It is fetched by npm, and not taken from a half-made node_modules of ours. */
export function pnpm(args, options = {}) {
  const [command, first] = npm();
  const exec = [...first, "exec", "--yes", "--prefer-offline", "--", manifest.packageManager, "--dir", ROOT];
  return run(command, [...exec, ...args], { cwd: tmpdir(), env: plainEnvironment(), ...options });
}

function npm() {
  const script = process.env.npm_execpath ?? "";
  return basename(script) === "npm-cli.js" ? [process.execPath, [script]] : ["npm", []];
}

/** Of all that an install depends on. The path is in it because installed scripts hold it. */
function fingerprint() {
  const hash = createHash("sha256").update(`${ROOT} ${process.platform} ${process.arch}\n`);
  const manifests = packageFolders().map((folder) => `${folder}/package.json`);
  for (const file of ["pnpm-lock.yaml", "pnpm-workspace.yaml", "package.json", ...manifests]) {
    hash.update(`${file}\n${readOrNothing(join(ROOT, file))}\n`);
  }
  return hash.digest("hex");
}

function readOrNothing(path) {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

function hint(output) {
  return output.includes("OUTDATED_LOCKFILE")
    ? "A package.json was changed: `npm run pnpm -- install` brings pnpm-lock.yaml up to date."
    : "The installation failed: what pnpm said is above. It needs Node 20 or later, npm, and the npm registry.";
}
