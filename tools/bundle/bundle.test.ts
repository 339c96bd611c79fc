import { fileURLToPath } from "node:url";
import { bundleSize } from "@perdure/test-support/bundle";
import { build } from "esbuild";
import { describe, expect, it } from "vitest";

// From where both packages can be found.
const FOLDER = fileURLToPath(new URL("../../bench", import.meta.url));

/** The imports that are left of core and its dependencies when they are bundled for no platform at all. */
async function importsOfCore(): Promise<string[]> {
  const { metafile } = await build({
    stdin: {
      contents: 'export * from "@perdure/core"; export * from "@perdure/core/protocol";',
      resolveDir: FOLDER,
    },
    bundle: true,
    format: "esm",
    platform: "neutral",
    metafile: true,
    write: false,
    logLevel: "error",
  });
  const imported = Object.values(metafile.outputs).flatMap(({ imports }) => imports.map(({ path }) => path));
  return imported;
}

describe("core", () => {
  it("needs nothing of Node, nor of any platform", async () => {
    expect(await importsOfCore()).toEqual([]);
  });
});

describe("the bundle of serve and Client", () => {
  // The goal is 0.7. The checks and error texts of the runtime weigh more, inline execution 0.14, waits for runs without
  // polling 0.02, code of middlewares around user code 0.01, typed triggers and declared events 0.007, the two names of each
  // variable 0.006, thrown values that can't be read 0.003, missing arguments 0.004, ids that no URL can carry 0.0015; this holds what
  // has been reached. With inline execution, rollbacks, middlewares, waits, policies of steps and the check of what JSON loses cut out, it would still be 0.80.
  it("is at most 0.997 of that of @upstash/workflow", async () => {
    const [ours, theirs] = await Promise.all([
      bundleSize("@perdure/core", FOLDER),
      bundleSize("@upstash/workflow", FOLDER),
    ]);
    expect(ours / theirs).toBeLessThanOrEqual(0.997);
  });
});
