import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import type { Row } from "./measure.ts";

const FOLDER = fileURLToPath(new URL(".", import.meta.url));

/** `serve` and `Client` with everything they need, minified and gzipped: ours divided by the official SDK's. */
export async function bundle(): Promise<Row> {
  const [ours, theirs] = [await size("@perdure/core"), await size("@upstash/workflow")];
  return {
    name: "bundle ÷ @upstash/workflow's",
    ratios: [ours / theirs],
    bar: { atMost: 0.7 },
    figures: `${ours} and ${theirs} bytes`,
  };
}

async function size(packageName: string): Promise<number> {
  const { outputFiles } = await build({
    stdin: { contents: `export { serve, Client } from "${packageName}";`, resolveDir: FOLDER },
    bundle: true,
    minify: true,
    format: "esm",
    platform: "browser",
    external: ["node:*", "child_process", "crypto", "fs", "http", "net", "os", "path"],
    write: false,
    logLevel: "error",
  });
  return gzipSync(outputFiles[0]?.contents ?? new Uint8Array(), { level: 9 }).length;
}
