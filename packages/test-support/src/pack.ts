import { execFile, spawnSync } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

/** The workspace's root folder. */
export const ROOT: string = fileURLToPath(new URL("../../../", import.meta.url));

/** The fields of a package.json that decide how a package is published. */
export interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly private?: boolean;
  readonly engines: { readonly node: string };
  readonly exports: Readonly<Record<string, unknown>>;
  readonly bin?: Readonly<Record<string, string>>;
  readonly description?: string;
  readonly license?: string;
  readonly keywords?: readonly string[];
  readonly homepage?: string;
  readonly bugs?: string;
  readonly repository?: { readonly type: string; readonly url: string; readonly directory: string };
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
}

/** A packed package. */
export interface Packed {
  readonly tarball: string;
  /** The folder of its unpacked content. */
  readonly installed: string;
  readonly manifest: Manifest;
}

export function readManifest(folder: string): Manifest {
  return JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as Manifest;
}

/** The folders' names of the packages that are published, in the order of the alphabet. */
export function publishedPackages(): string[] {
  const isPublished = (name: string): boolean => {
    const folder = join(ROOT, "packages", name);
    return existsSync(join(folder, "package.json")) && !readManifest(folder).private;
  };
  return readdirSync(join(ROOT, "packages")).filter(isPublished).sort();
}

/** Files of `dist` that are made of several sources, by their packages. */
const BUNDLES: Readonly<Record<string, readonly string[]>> = {
  test: ["workerd.js", "sqlite.wasm", "workerd.licenses.txt"],
};

/** The files of a package's `dist`, which a build makes of its `src`. */
export function outputsOf(name: string): string[] {
  const source = join(ROOT, "packages", name, "src");
  return filesIn(source)
    .flatMap((file) =>
      file.endsWith(".ts")
        ? [".js", ".js.map", ".d.ts", ".d.ts.map"].map((ending) => `${file.slice(0, -3)}${ending}`)
        : [file],
    )
    .concat(BUNDLES[name] ?? []);
}

function filesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)));
}

/** Deletes outputs of sources that are gone: no build does, and an engine runs every migration that it finds. */
function deleteStale(name: string): void {
  const dist = join(ROOT, "packages", name, "dist");
  const outputs = new Set([...outputsOf(name), ".tsbuildinfo"]);
  for (const file of filesIn(dist)) if (!outputs.has(file)) rmSync(join(dist, file));
}

/** Packs a built package of `packages/`. @returns the tarball's path */
export function packTarball(name: string, folder: string): string {
  mkdirSync(folder, { recursive: true });
  deleteStale(name);
  const source = join(ROOT, "packages", name);
  const output = run("pnpm", ["pack", "--json", "--pack-destination", folder], source);
  return (JSON.parse(output) as { filename: string }).filename;
}

/** The variable with the folder of all published packages' tarballs, which tests share. */
const SHARED = "TEST_TARBALLS";

/** Packs all published packages, built before, for the {@link pack} of this process and of those that it starts. */
export async function shareTarballs(folder: string): Promise<void> {
  const args = ["pack", "--pack-destination", folder];
  for (const name of publishedPackages()) deleteStale(name);
  await Promise.all(
    publishedPackages().map((name) =>
      promisify(execFile)("pnpm", args, { cwd: join(ROOT, "packages", name) }),
    ),
  );
  process.env[SHARED] = folder;
}

/** @returns the path of a copy in `folder`; undefined where the tests share no tarballs */
function copyShared(name: string, folder: string): string | undefined {
  const shared = process.env[SHARED];
  if (shared === undefined) return undefined;
  const { name: id, version } = readManifest(join(ROOT, "packages", name));
  const file = `${id.replace("@", "").replace("/", "-")}-${version}.tgz`;
  mkdirSync(folder, { recursive: true });
  copyFileSync(join(shared, file), join(folder, file));
  return join(folder, file);
}

/**
 * Packs a built package of `packages/`, unless the tests share its tarball, and unpacks it to `node_modules` in `folder`.
 * Packages in the same folder resolve each other there; the function links all other dependencies from the workspace.
 */
export function pack(name: string, folder: string): Packed {
  return unpack(name, copyShared(name, folder) ?? packTarball(name, folder), folder);
}

/** Unpacks a package's tarball as {@link pack} does. */
export function unpack(name: string, tarball: string, folder: string): Packed {
  const source = join(ROOT, "packages", name);
  const installed = join(folder, "node_modules", readManifest(source).name);
  mkdirSync(installed, { recursive: true });
  run("tar", ["-xzf", tarball, "--strip-components=1", "-C", installed], folder);
  const manifest = readManifest(installed);
  for (const dependency of Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies })) {
    const target = join(source, "node_modules", dependency);
    if (dependency.startsWith("@perdure/") || !existsSync(target)) continue;
    const link = join(installed, "node_modules", dependency);
    mkdirSync(dirname(link), { recursive: true });
    symlinkSync(realpathSync(target), link);
  }
  return { tarball, installed, manifest };
}

/** Runs a command. @returns its output @throws Error with its output when it fails */
export function run(command: string, args: readonly string[], cwd: string): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd, encoding: "utf8" });
  if (status === 0) return stdout;
  throw new Error(`${command} ${args.join(" ")} failed: ${error?.message ?? `${stdout}${stderr}`}`);
}
