// Runs on Node 20 before anything is installed: only node: modules.
import { readdirSync, readFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = fileURLToPath(new URL("../..", import.meta.url));

export const manifest = readJson(join(ROOT, "package.json"));

/** The pinned Node that everything but these scripts runs on. */
export const NODE = join(
  ROOT,
  "node_modules",
  "node",
  "bin",
  process.platform === "win32" ? "node.exe" : "node",
);

/** The folders of the workspace's packages, relative to the root, from pnpm-workspace.yaml. */
export function packageFolders() {
  const text = readFileSync(join(ROOT, "pnpm-workspace.yaml"), "utf8");
  const globs = [...(/^packages:\n((?: +- .*\n)+)/m.exec(text)?.[1] ?? "").matchAll(/- (\S+)/g)].map(
    (m) => m[1],
  );
  return globs
    .flatMap((glob) => (glob.endsWith("/*") ? foldersIn(glob.slice(0, -2)) : [glob]))
    .filter((folder) => readJson(join(ROOT, folder, "package.json")) !== undefined);
}

/** @returns the parsed file, or `undefined` where there is none */
export function readJson(path) {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch (error) {
    if (error.code === "ENOENT" || error.code === "ENOTDIR") return undefined;
    throw new Error(`${path}: ${error.message}`);
  }
}

/** The environment for what runs on the pinned Node: it and the workspace's tools come first on the PATH. */
export function environment(extra = {}) {
  const path = [join(NODE, ".."), join(ROOT, "node_modules", ".bin"), process.env.PATH].join(delimiter);
  return { ...plainEnvironment(), PATH: path, TURBO_TELEMETRY_DISABLED: "1", DO_NOT_TRACK: "1", ...extra };
}

/** Without what `npm run` adds: it would tell an npm or pnpm started from here that it is somewhere else. */
export function plainEnvironment() {
  const added = /^npm_(?:package|lifecycle)_|^npm_config_local_prefix$|^npm_(?:command|execpath)$|^INIT_CWD$/;
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !added.test(name)));
}

function foldersIn(folder) {
  try {
    return readdirSync(join(ROOT, folder)).map((name) => `${folder}/${name}`);
  } catch {
    return [];
  }
}
