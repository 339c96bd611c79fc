import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  outputsOf,
  type Packed,
  pack,
  packTarball,
  publishedPackages,
  ROOT,
  readManifest,
  run,
  unpack,
} from "@perdure/test-support/pack";
import { environment, Process } from "@perdure/test-support/process";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const folder = mkdtempSync(join(tmpdir(), "perdure packed "));
const TOOLS = join(ROOT, "tools", "node_modules");
const NODES = [
  { version: 20, path: join(TOOLS, "node20", "bin", "node") },
  { version: 22, path: join(TOOLS, "node22", "bin", "node") },
  { version: 24, path: process.execPath },
];
const published = publishedPackages();

const isFile = (path: string): boolean => /\.\w+$|LICENSE$/.test(path) && !path.startsWith("node_modules");

const packages = new Map<string, Packed>();
beforeAll(() => {
  // The outputs of files that another commit had.
  for (const file of ["gone.js", "gone.d.ts.map", "store/migrations/sqlite/0999.sql"])
    writeFileSync(join(ROOT, "packages", "engine", "dist", file), "gone");
  packages.set("engine", unpack("engine", packTarball("engine", folder), folder));
  for (const name of published.filter((one) => one !== "engine")) packages.set(name, pack(name, folder));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it("finds the packages to publish", () => {
  expect(published).toEqual(["adapters", "core", "create-perdure", "engine", "otel", "test"]);
});

describe.each(published)("%s, packed", (name) => {
  let packed: Packed;
  beforeAll(() => {
    packed = packages.get(name) ?? expect.fail("it can't be packed");
  });

  it("has its licence, and the output of each source and of nothing else", () => {
    const files = readdirSync(packed.installed, { recursive: true, encoding: "utf8" }).filter(isFile);
    const outputs = outputsOf(name).map((file) => `dist/${file}`);
    expect(files).toContain("LICENSE");
    expect(outputs.filter((file) => !files.includes(file))).toEqual([]);
    expect(files.filter((file) => file.startsWith("dist/") && !outputs.includes(file))).toEqual([]);
  });

  it("names no version of the workspace", () => {
    expect(JSON.stringify(packed.manifest)).not.toContain("workspace:");
  });

  it("says where its page, its source and its problems are, and what it is", () => {
    const { homepage, repository, bugs, keywords = [], description, license } = packed.manifest;
    expect(repository).toMatchObject({ type: "git", directory: `packages/${name}` });
    for (const address of [homepage, repository?.url, bugs]) expect(address).toMatch(/^(?:git\+)?https:\/\//);
    expect(keywords.length).toBeGreaterThan(4);
    expect(description).toMatch(/\.$/);
    expect(license).toBe("MIT");
  });

  it("passes publint", () => {
    run(join(TOOLS, ".bin", "publint"), ["run", packed.tarball, "--strict"], folder);
  });

  it("passes attw", () => {
    run(join(TOOLS, ".bin", "attw"), [packed.tarball, "--profile", "esm-only", "--no-emoji"], folder);
  });

  it("can be required by CommonJS", () => {
    const { name: id, exports } = packed.manifest;
    const subpaths = Object.keys(exports).filter((subpath) => subpath !== "./package.json");
    const requires = subpaths.map((subpath) => `require(${JSON.stringify(id + subpath.slice(1))});`);
    run(process.execPath, ["--input-type=commonjs", "--eval", requires.join("\n")], packed.installed);
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

describe("the packed packages", () => {
  let engine: Process;
  let app: Process;
  afterAll(async () => {
    await Promise.all([engine?.kill("SIGKILL"), app?.kill("SIGKILL")]);
  });

  it("run a workflow as they are installed", async () => {
    const cli = join(folder, "node_modules", "@perdure", "engine", "dist", "cli.js");
    engine = Process.node(cli, ["dev", "--port", "0", "--db", join(folder, "dev.db")]);
    const [, url = ""] = await engine.line(/running at (http\S+)/);
    const file = join(folder, "app.mjs");
    writeFileSync(file, APP);
    app = Process.node(file, [], environment(url));
    await app.line(/"shipped r-1"/);
  });

  it("are written by npm run pack, with the command that installs them", () => {
    const target = join(folder, "written by pack");
    const output = run(process.execPath, [join(ROOT, "scripts", "pack.ts"), target], ROOT);
    const tarballs = readdirSync(target).map((name) => join(target, name));
    expect(tarballs.length).toBe(published.length);
    const [create, ...libraries] = tarballs.map((tarball) => `"${tarball}"`);
    expect(output).toContain(`npm install ${libraries.join(" ")}`);
    expect(output).toContain(`npx --package ${create} create-perdure my-app --tarballs "${target}"`);
  });
});

const APP = `
import { createServer } from "node:http";
import { serve } from "@perdure/adapters/node";
import { Client } from "@perdure/core";

const order = serve(async (context) => {
  const reservation = await context.run("reserve", () => "r-1");
  return context.run("ship", () => "shipped " + reservation);
});
const server = createServer(order).listen(0, async () => {
  const client = new Client();
  const url = "http://127.0.0.1:" + server.address().port + "/order";
  const { workflowRunId } = await client.trigger({ url });
  const { result } = await client.runs.wait(workflowRunId);
  console.log(JSON.stringify(result));
});
`;
