import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type BuildOptions, build } from "esbuild";

const APPS = fileURLToPath(new URL("../apps/", import.meta.url));

/** Apps as one file each, in a folder where no package can be found: what isn't bundled is missed. */
export interface Bundles {
  readonly folder: string;
  /** @returns the bundle's path */
  bundle(app: string, target: Target): Promise<string>;
  remove(): void;
}

export type Target = "node" | "bun" | "deno" | "workerd" | "workerd with nodejs_compat";

const CONDITIONS: Record<Target, BuildOptions> = {
  node: { platform: "node", target: "node20" },
  bun: { platform: "node", conditions: ["bun"] },
  deno: { platform: "node", conditions: ["deno"] },
  workerd: { platform: "browser", conditions: ["workerd", "worker", "browser"] },
  "workerd with nodejs_compat": {
    platform: "browser",
    conditions: ["workerd", "worker", "browser"],
    external: ["node:*"],
    // As wrangler does: workerd knows Node's modules by their whole names only.
    alias: { async_hooks: "node:async_hooks", events: "node:events" },
  },
};

// Some frameworks are CommonJS and require Node's modules, which an ES module can't by itself.
const REQUIRE =
  'import { createRequire as makeRequire } from "node:module"; const require = makeRequire(import.meta.url);';

export function bundles(): Bundles {
  const folder = mkdtempSync(join(tmpdir(), "perdure-conformance-"));
  return {
    folder,
    bundle: async (app, target) => {
      const outfile = join(folder, target.replaceAll(" ", "-"), `${app}.mjs`);
      await build({
        entryPoints: [join(APPS, `${app}.ts`)],
        outfile,
        bundle: true,
        format: "esm",
        logLevel: "error",
        ...CONDITIONS[target],
        ...(target.startsWith("workerd") ? {} : { banner: { js: REQUIRE } }),
      });
      return outfile;
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
