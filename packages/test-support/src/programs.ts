import { existsSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));

/** The variable with the folder of the bundles. */
export const BUNDLES = "TEST_BUNDLES";

/** Where the bundle of a source file of this repository is, in the folder of the bundles. */
export function bundleOf(source: string): string {
  return relative(ROOT, source).replaceAll(sep, "-").replace(/\.ts$/, ".js");
}

/**
 * Finds the bundle of a program that tests start by the hundred: its modules load in half the time. Where no bundles were
 * made, the sources run.
 *
 * @param source the path of a file
 * @returns a path that Node runs
 */
export function programOf(source: string): string {
  const folder = process.env[BUNDLES];
  if (folder === undefined) return source;
  const bundle = join(folder, bundleOf(source));
  return existsSync(bundle) ? bundle : source;
}
