import { rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { pack, run } from "@perdure/test-support/pack";
import type { TestProject } from "vitest/node";

const WORKSPACE = fileURLToPath(new URL(".", import.meta.url));

/**
 * Packs core and adapters as they would be published, and installs the applications, which link to them. They are a pnpm
 * workspace of their own with a lockfile of its own: the repository's installation stays small.
 */
export default function setup({ name }: TestProject): void {
  // `vitest list` only names the tests.
  if (process.argv.includes("list")) return;
  const packed = `${WORKSPACE}.packed`;
  rmSync(packed, { recursive: true, force: true });
  for (const one of ["core", "adapters"]) pack(one, packed);
  const filter = name === "nextjs" ? "nextjs" : "!nextjs";
  console.error(`Installing the applications of ${name} …`);
  run("pnpm", ["--filter", filter, "install", "--frozen-lockfile"], WORKSPACE);
}
