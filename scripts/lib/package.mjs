// A package as it will be published: packed, looked through, checked by publint and attw, and run.
import { existsSync, mkdirSync, readdirSync, readFileSync, realpathSync, symlinkSync } from "node:fs";
import { isBuiltin } from "node:module";
import { dirname, join } from "node:path";
import { run } from "./child.mjs";
import { environment, NODE, ROOT, readJson } from "./paths.mjs";

/** Packs the package and unpacks it to `node_modules` in `folder`, its dependencies beside it. */
export async function pack(source, folder) {
  const { name } = readJson(join(ROOT, source, "package.json"));
  const args = ["pack", "--json", "--pack-destination", folder];
  const packing = await tool("pnpm", args, join(ROOT, source));
  const installed = join(folder, "node_modules", name);
  if (!packing.ok) return { source, check: { name: `${source} pack`, ...packing } };
  const tarball = JSON.parse(packing.output).filename;
  mkdirSync(installed, { recursive: true });
  const unpacking = await tool("tar", ["-xzf", tarball, "--strip-components=1", "-C", installed], folder);
  if (!unpacking.ok) return { source, check: { name: `${source} pack`, ...unpacking } };
  linkDependencies(join(ROOT, source), installed);
  const faults = faultsOf(installed);
  return {
    source,
    tarball,
    installed,
    check: { name: `${source} pack`, ok: faults.length === 0, output: faults.join("\n") },
  };
}

/** publint, attw, and a first breath of what was packed. */
export async function* checkTarball({ source, tarball, installed }, folder) {
  if (installed === undefined) return;
  yield { name: `${source} publint`, ...(await tool("publint", ["run", tarball, "--strict"], folder)) };
  const attw = await tool("attw", [tarball, "--profile", "esm-only", "--no-emoji"], folder);
  yield { name: `${source} attw`, ...attw };
  yield { name: `${source} runs`, ...(await firstBreath(installed)) };
}

/** Every entry point is imported and every command answers, on each Node at hand that the package promises. */
async function firstBreath(installed) {
  const { name, exports, bin = {}, engines } = readJson(join(installed, "package.json"));
  const subpaths = Object.keys(exports).filter((subpath) => subpath !== "./package.json");
  const imports = subpaths.map((subpath) => `await import(${JSON.stringify(name + subpath.slice(1))});`);
  const outputs = [];
  for (const node of [NODE, ...(promises(engines.node, process.version) ? [process.execPath] : [])]) {
    const calls = [["--input-type=module", "--eval", imports.join("\n")]];
    for (const command of Object.values(bin)) calls.push([join(installed, command), "--help"]);
    for (const args of calls) outputs.push(await tool(node, args, installed));
  }
  const failed = outputs.filter(({ ok }) => !ok);
  return { ok: failed.length === 0, output: failed.map(({ output }) => output).join("\n") };
}

function faultsOf(installed) {
  const manifest = readJson(join(installed, "package.json"));
  const files = readdirSync(installed, { recursive: true }).filter(
    (file) => !file.startsWith("node_modules"),
  );
  const has = new Set(files.map((file) => file.replaceAll("\\", "/")));
  const sources = [...has].filter((file) => /^src\/.*\.ts$/.test(file));
  const built = sources.flatMap((file) => outputsOf(file));
  const entries = Object.entries(manifest.exports).filter(([subpath]) => subpath !== "./package.json");
  const targets = entries.flatMap(([, target]) =>
    typeof target === "string" ? [target] : Object.values(target),
  );
  const commands = Object.values(manifest.bin ?? {});
  const faults = [
    ...["LICENSE", ...built].filter((file) => !has.has(file)).map((file) => `${file} is missing`),
    ...[...has]
      .filter((file) => /^dist\/.*\.\w+$/.test(file) && !built.includes(file))
      .map((file) => `${file} is stale`),
    ...[...targets, ...commands]
      .filter((target) => !target.startsWith("./dist/") || !has.has(target.slice(2)))
      .map((target) => `${target} is an entry point and not in dist`),
    ...commands
      .filter((file) => has.has(file.slice(2)))
      .filter((file) => !readFileSync(join(installed, file), "utf8").startsWith("#!/usr/bin/env node\n"))
      .map((file) => `${file} doesn't begin with #!/usr/bin/env node`),
  ];
  if (WITHOUT_NODE.has(manifest.name)) faults.push(...nodeImports(installed, has));
  if (JSON.stringify(manifest).includes("workspace:")) faults.push("package.json has a workspace: version");
  return faults;
}

/** They run where there is no Node. */
const WITHOUT_NODE = new Set(["@perdure/core", "@perdure/adapters"]);

/** Every form of an import and of a re-export, as `tsc` writes them. */
const SPECIFIER = /(?:\bfrom\s*|\bimport\s*\(?\s*|\brequire\s*\(\s*)["'`]([^"'`]+)["'`]/g;

function nodeImports(installed, files) {
  const scripts = [...files].filter((file) => /^dist\/.*\.js$/.test(file));
  return scripts.flatMap((file) =>
    [...readFileSync(join(installed, file), "utf8").matchAll(SPECIFIER)]
      .filter(([, specifier]) => isBuiltin(specifier))
      .map(([, specifier]) => `${file} imports ${specifier}, which only Node has`),
  );
}

const outputsOf = (source) =>
  [".js", ".js.map", ".d.ts", ".d.ts.map"].map((ending) => `dist/${source.slice(4, -3)}${ending}`);

/** The packed neighbours are found by going up; what comes from the registry is linked from the workspace. */
function linkDependencies(source, installed) {
  const { dependencies = {}, peerDependencies = {} } = readJson(join(installed, "package.json"));
  for (const name of Object.keys({ ...dependencies, ...peerDependencies })) {
    const target = join(source, "node_modules", name);
    const link = join(installed, "node_modules", name);
    if (name.startsWith("@perdure/") || !existsSync(target)) continue;
    mkdirSync(dirname(link), { recursive: true });
    symlinkSync(realpathSync(target), link, "junction");
  }
}

/** @param {string} range `>=A` or `>=A.B`, the only kinds our packages use */
function promises(range, version) {
  const [major, minor = 0] = range.slice(2).split(".").map(Number);
  const [ourMajor, ourMinor] = version.slice(1).split(".").map(Number);
  return ourMajor > major || (ourMajor === major && ourMinor >= minor);
}

async function tool(command, args, cwd) {
  const { code, output } = await run(command, args, { capture: true, cwd, env: environment() });
  return { ok: code === 0, output };
}
