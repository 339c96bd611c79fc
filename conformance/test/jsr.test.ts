import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { sampled } from "@perdure/test-support/sample";
import { describe, expect, it } from "vitest";

const PACKAGES = fileURLToPath(new URL("../../packages/", import.meta.url));
const DENO = fileURLToPath(new URL("../node_modules/deno/deno", import.meta.url));

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly license: string;
  readonly exports: Readonly<Record<string, string>>;
  readonly imports?: Readonly<Record<string, string>>;
}

function manifest(folder: string, file: string): Manifest {
  return JSON.parse(readFileSync(join(PACKAGES, folder, file), "utf8"));
}

const FOLDERS = ["core", "adapters"];

describe.each(FOLDERS)("packages/%s on JSR", (folder) => {
  it("is the package that is on npm", () => {
    const [ours, npm] = [manifest(folder, "jsr.json"), manifest(folder, "package.json")];
    const { "./package.json": _, ...entries } = npm.exports;
    expect(ours).toMatchObject({ name: npm.name, version: npm.version, license: npm.license });
    expect(ours.exports).toEqual(entries);
    const core = manifest("core", "package.json");
    // JSR has no conditions: its users' appends travel one by one, which is right on every platform, and the digests look for
    // Node's functions.
    const imports =
      folder === "core"
        ? {
            "#appenders": "./src/engine-client/appenders-per-invocation.ts",
            "#digest": "./src/util/digest-node.ts",
          }
        : { [core.name]: `npm:${core.name}@^${core.version}` };
    expect(ours.imports).toEqual(imports);
  });
});

it.each(sampled(FOLDERS, 2))("packages/%s would be published on JSR: a dry run of Deno's", async (folder) => {
  const cache = mkdtempSync(join(tmpdir(), "perdure-deno-"));
  try {
    const env = { PATH: process.env.PATH, DENO_DIR: cache, DENO_NO_UPDATE_CHECK: "1", NO_COLOR: "1" };
    const args = ["publish", "--dry-run", "--allow-dirty"];
    const { stderr } = await promisify(execFile)(DENO, args, { cwd: join(PACKAGES, folder), env });
    expect(stderr).toContain(`Simulating publish of ${manifest(folder, "jsr.json").name}@`);
    expect(stderr).toContain("Dry run complete");
  } finally {
    rmSync(cache, { recursive: true, force: true });
  }
});
