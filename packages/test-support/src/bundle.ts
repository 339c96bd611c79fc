import { gzipSync } from "node:zlib";
import { build } from "esbuild";

/**
 * Measures `serve` and `Client` of a package, bundled for an edge runtime with everything that they need.
 *
 * @param folder a folder from which the package can be imported
 * @returns bytes, minified and gzipped
 */
export async function bundleSize(packageName: string, folder: string): Promise<number> {
  const { outputFiles } = await build({
    stdin: { contents: `export { serve, Client } from "${packageName}";`, resolveDir: folder },
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
