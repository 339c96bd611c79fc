// pnpm release:version: turns the files of .changeset into the packages' changelogs and next version, and writes that version
// into the runtime's source.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT, readManifest, run } from "@perdure/test-support/pack";

run("changeset", ["version"], ROOT);
const { version } = readManifest(join(ROOT, "packages", "core"));
const file = join(ROOT, "packages", "core", "src", "util", "version.ts");
const source = readFileSync(file, "utf8").replace(/VERSION = "[^"]*"/, `VERSION = "${version}"`);
writeFileSync(file, source);
console.log(`All packages are at ${version}. Bring the lock file up to date: pnpm install.`);
