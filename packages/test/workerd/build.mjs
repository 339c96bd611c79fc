// node workerd/build.mjs: bundles the package and its engine for tests that run inside of workerd, into dist. There,
// node:sqlite is SQLite as WebAssembly, in memory, and nothing reads files.
import { copyFileSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { build } from "esbuild";

const HERE = import.meta.dirname;
const DIST = join(HERE, "../dist");
const MIGRATIONS = join(HERE, "../../engine/src/store/migrations/sqlite");

/** Modules that an engine in memory, with its endpoints in the same process, never uses. Not every workerd has them. */
const UNUSED = /^(?:node:(?:https?|dns|fs|fs\/promises|worker_threads)|postgres)$/;

const forWorkerd = {
  name: "workerd",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^node:sqlite$/ }, () => ({ path: join(HERE, "sqlite.ts") }));
    onResolve({ filter: /\.wasm$/ }, () => ({ path: "./sqlite.wasm", external: true }));
    onResolve({ filter: UNUSED }, ({ path }) => ({ path, namespace: "unused" }));
    onLoad({ filter: /.*/, namespace: "unused" }, () => ({ contents: "module.exports = {};" }));
    onLoad({ filter: /store\/migrations\.ts$/ }, () => {
      const texts = readdirSync(MIGRATIONS)
        .sort()
        .map((name) => readFileSync(join(MIGRATIONS, name), "utf8"));
      return { contents: `export const migrations = () => ${JSON.stringify(texts)};` };
    });
  },
};

const { metafile } = await build({
  entryPoints: [join(HERE, "../src/index.ts")],
  outfile: join(DIST, "workerd.js"),
  bundle: true,
  minify: true,
  keepNames: true,
  metafile: true,
  format: "esm",
  platform: "neutral",
  target: "es2022",
  mainFields: ["module", "main"],
  conditions: ["workerd", "worker"],
  // The workflow under test and the kit must have the same copy of core.
  external: ["@perdure/core", "@perdure/core/*", "node:*"],
  // sql.js would look for its file at the worker's address.
  define: { "globalThis.WorkerGlobalScope": "undefined" },
  legalComments: "none",
  logLevel: "warning",
  plugins: [forWorkerd],
});
copyFileSync(
  createRequire(import.meta.url).resolve("sql.js/dist/sql-wasm-browser.wasm"),
  join(DIST, "sqlite.wasm"),
);
writeFileSync(join(DIST, "workerd.licenses.txt"), licensesOf(Object.keys(metafile.inputs)));

/** The licences of the packages in the bundle. */
function licensesOf(files) {
  const folders = new Set(
    files.flatMap((file) => file.match(/^.*node_modules\/(?:@[^/]+\/)?[^/]+/)?.[0] ?? []),
  );
  const texts = [...folders].sort().map((folder) => {
    const { name, version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
    const license = readdirSync(folder).find((file) => /^licen[cs]e/i.test(file));
    if (!license) throw new Error(`${folder} has no file with its licence.`);
    return `${name} ${version}\n\n${readFileSync(join(folder, license), "utf8").trim()}\n`;
  });
  return texts.join("\n----\n\n");
}
