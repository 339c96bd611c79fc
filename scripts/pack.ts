// npm run pack [FOLDER]: builds the published packages, writes their tarballs to FOLDER (default: packed), and prints the
// command that installs them in another project.
import { rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { packTarball, publishedPackages, ROOT, run } from "@perdure/test-support/pack";

const [given] = process.argv.slice(2);
const folder = given === undefined ? join(ROOT, "packed") : resolve(process.env.INIT_CWD ?? ".", given);
const names = publishedPackages();

const filters = names.map((name) => `--filter=./packages/${name}`);
run("turbo", ["run", "build", ...filters, "--output-logs=errors-only", "--ui=stream"], ROOT);
// Only tarballs of this build may be installed.
if (given === undefined) rmSync(folder, { recursive: true, force: true });
const tarballs = names.map((name) => packTarball(name, folder));
for (const tarball of tarballs) console.log(tarball);
const quoted = [folder, ...tarballs].map((path) => (/^[\w./@-]+$/.test(path) ? path : `"${path}"`));
const [from, ...packed] = quoted;
const isCreate = (path: string): boolean => path.includes("create-perdure-");
const libraries = packed.filter((path) => !isCreate(path));
console.log(`\nIn your project:\nnpm install ${libraries.join(" ")}`);
console.log(
  `\nA new project:\nnpx --package ${packed.find(isCreate)} create-perdure my-app --tarballs ${from}`,
);
