import { createRequire } from "node:module";
import { dirname, join } from "node:path";

const { resolve } = createRequire(import.meta.url);

/** A program's own file, not the script that starts it: that one would be between us and it. */
export const programOf = (name: string, file: string): string =>
  join(dirname(resolve(`${name}/package.json`)), file);

/** What the engine runs on, and how each of them is told to run a file. */
export const RUNTIMES: readonly {
  readonly name: string;
  readonly command: readonly [string, ...string[]];
}[] = [
  { name: "Node", command: [process.execPath] },
  { name: "Bun", command: [programOf("bun", "bin/bun.exe")] },
  {
    name: "Deno",
    command: [programOf("deno", process.platform === "win32" ? "deno.exe" : "deno"), "run", "-A"],
  },
];

/** What modules that were written for CommonJS look for in a bundle. */
export const COMMONJS = `import { createRequire } from "node:module";
const require = createRequire(import.meta.url);
const __dirname = import.meta.dirname;`;
