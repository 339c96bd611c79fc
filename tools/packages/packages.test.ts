import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Packed, pack, ROOT, readManifest, run } from "@perdure/test-support/pack";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const folder = mkdtempSync(join(tmpdir(), "perdure packed "));
const TOOLS = join(ROOT, "tools", "node_modules");
const NODES = [
  { version: 20, path: join(TOOLS, "node20", "bin", "node") },
  { version: 22, path: join(TOOLS, "node22", "bin", "node") },
  { version: 24, path: process.execPath },
];
const published = readdirSync(join(ROOT, "packages")).filter(
  (name) => !readManifest(join(ROOT, "packages", name)).private,
);

const isFile = (path: string): boolean => /\.\w+$|LICENSE$/.test(path) && !path.startsWith("node_modules");

/** The files of `dist` that a file of `src` becomes. */
function outputsOf(source: string): string[] {
  if (!source.endsWith(".ts")) return [`dist/${source}`];
  return [".js", ".js.map", ".d.ts", ".d.ts.map"].map((ending) => `dist/${source.slice(0, -3)}${ending}`);
}

const packages = new Map<string, Packed>();
beforeAll(() => {
  for (const name of published) packages.set(name, pack(name, folder));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it("finds the packages to publish", () => {
  expect(published).toEqual(["adapters", "core", "engine", "otel"]);
});

describe.each(published)("%s, packed", (name) => {
  let packed: Packed;
  beforeAll(() => {
    packed = packages.get(name) ?? expect.fail("it can't be packed");
  });

  it("has its licence, and the output of each source and of nothing else", () => {
    const files = readdirSync(packed.installed, { recursive: true, encoding: "utf8" }).filter(isFile);
    const outputs = files
      .filter((file) => file.startsWith("src/"))
      .flatMap((file) => outputsOf(file.slice(4)));
    expect(files).toContain("LICENSE");
    expect(outputs.filter((file) => !files.includes(file))).toEqual([]);
    expect(files.filter((file) => file.startsWith("dist/") && !outputs.includes(file))).toEqual([]);
  });

  it("names no version of the workspace", () => {
    expect(JSON.stringify(packed.manifest)).not.toContain("workspace:");
  });

  it("passes publint", () => {
    run(join(TOOLS, ".bin", "publint"), ["run", packed.tarball, "--strict"], folder);
  });

  it("passes attw", () => {
    run(join(TOOLS, ".bin", "attw"), [packed.tarball, "--profile", "esm-only", "--no-emoji"], folder);
  });

  const promised = Number.parseInt(readManifest(join(ROOT, "packages", name)).engines.node.slice(2), 10);
  it.each(NODES.filter(({ version }) => version >= promised))("runs on Node $version", ({ path }) => {
    const { name: id, exports, bin = {} } = packed.manifest;
    const subpaths = Object.keys(exports).filter((subpath) => subpath !== "./package.json");
    const imports = subpaths.map((subpath) => `await import(${JSON.stringify(id + subpath.slice(1))});`);
    run(path, ["--input-type=module", "--eval", imports.join("\n")], packed.installed);
    for (const command of Object.values(bin)) {
      expect(run(path, [join(packed.installed, command), "--help"], packed.installed)).toContain("Usage");
    }
  });
});
