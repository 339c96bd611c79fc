import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { shareTarballs } from "./pack.ts";

let isShared = false;

/**
 * Packs the published packages for all tests that install them. Does nothing when another project has done so.
 *
 * @returns the function that deletes the tarballs
 */
export async function setup(): Promise<(() => void) | undefined> {
  // `vitest list` only names the tests.
  if (isShared || process.argv.includes("list")) return undefined;
  isShared = true;
  const folder = mkdtempSync(join(tmpdir(), "packed-perdure-"));
  await shareTarballs(folder);
  return () => rmSync(folder, { recursive: true, force: true });
}
