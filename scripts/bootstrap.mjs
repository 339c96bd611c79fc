// node scripts/bootstrap.mjs [demo]: installs what a command needs, on any machine with Node 20 or later and npm.
// npm fetches the pinned pnpm; pnpm installs the workspace, with the pinned Node 24 as node_modules/node. The package
// script then hands over to that Node: `node scripts/bootstrap.mjs && exec node_modules/node/bin/node …`.
// With `demo`: only the runtime dependencies of `npm start`. Nothing happens where the installation is up to date.
// Then it bundles the dashboard's page, unless that is newer than its sources.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const ROOT = fileURLToPath(new URL("..", import.meta.url)).replace(/[\\/]$/, "");
const STATE = join(ROOT, "node_modules", ".pnpm-workspace-state-v1.json");
const DASHBOARD = join(ROOT, "packages", "dashboard");
const DEMO = [
  "--prod",
  ...["perdure", "@perdure/example-node...", "@perdure/dashboard"].flatMap((name) => ["--filter", name]),
];
const demo = process.argv[2] === "demo";

if (!isInstalled()) install();
const { buildDashboard } = await import(pathToFileURL(join(DASHBOARD, "build.mjs")).href);
await buildDashboard();

function install() {
  // An installation of everything stays one: it must not lose what the demo doesn't need.
  const whole = !demo || installedState()?.filteredInstall === false;
  const { packageManager, dependencies } = readJson(join(ROOT, "package.json"));
  const what = whole ? "all tools and runtimes, about 2 GB" : "what the demo needs, about 200 MB";
  say(`Installing ${packageManager}, Node ${dependencies.node} and ${what} …`);
  const start = performance.now();
  const args = ["--dir", ROOT, "install", "--frozen-lockfile", ...(whole ? [] : DEMO)];
  // In another folder: npm would take a half-installed pnpm of this one.
  const npm = ["exec", "--yes", "--prefer-offline", "--", packageManager, ...args];
  const env = { ...withoutRunner(process.env), CI: "true" };
  const { status, error } = spawnSync("npm", npm, { cwd: tmpdir(), env, stdio: ["ignore", 2, 2] });
  if (status !== 0 || !isInstalled()) {
    say(error?.message ?? `pnpm ended with ${status}: see its output above.`);
    say("The installation needs Node 20 or later, npm and the npm registry.");
    say("After a change of a package.json, bring pnpm-lock.yaml up to date first: `npx pnpm install`.");
    process.exit(1);
  }
  say(`Installed in ${((performance.now() - start) / 1000).toFixed(0)} s.`);
}

/** Whether pnpm has installed this checkout, in this folder, after the last change of what it reads. */
function isInstalled() {
  const state = installedState();
  if (state === undefined || (state.filteredInstall && !demo)) return false;
  const folders = Object.keys(state.projects);
  const read = ["package.json", "pnpm-lock.yaml", "pnpm-workspace.yaml"].map((file) => join(ROOT, file));
  const manifests = folders.map((folder) => join(folder, "package.json"));
  const needed = demo ? [ROOT, join(ROOT, "examples", "node"), DASHBOARD] : folders;
  return (
    [...read, ...manifests].every((file) => modifiedAt(file) <= modifiedAt(STATE)) &&
    needed.every((folder) => existsSync(join(folder, "node_modules"))) &&
    existsSync(join(ROOT, "node_modules", "node", "bin", "node"))
  );
}

function installedState() {
  const state = existsSync(STATE) ? readJson(STATE) : undefined;
  return state?.projects[ROOT] ? state : undefined;
}

function modifiedAt(file) {
  return existsSync(file) ? statSync(file).mtimeMs : Number.POSITIVE_INFINITY;
}

/** Without what `npm run` adds, which would tell the npm started here that it is in another folder. */
function withoutRunner(env) {
  const added = /^npm_(?:package|lifecycle)_|^npm_config_local_prefix$|^npm_(?:command|execpath)$|^INIT_CWD$/;
  return Object.fromEntries(Object.entries(env).filter(([name]) => !added.test(name)));
}

function readJson(file) {
  return JSON.parse(readFileSync(file, "utf8"));
}

function say(line) {
  process.stderr.write(`${line}\n`);
}
