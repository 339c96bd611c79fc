import { execFileSync } from "node:child_process";
import { installPackages } from "./system-package.ts";

/** Whether the operating system has the pooler. */
export function hasPgBouncer(): boolean {
  try {
    execFileSync("pgbouncer", ["--version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

/** Installs the pooler where it is missing. */
export function setup(): void {
  // `vitest list` only names the tests.
  if (hasPgBouncer() || process.argv.includes("list")) return;
  installPackages("pgbouncer");
  if (!hasPgBouncer())
    console.warn(
      "The tests behind PgBouncer are left out: it isn't installed, and can't be. Debian: apt-get install pgbouncer.",
    );
}
