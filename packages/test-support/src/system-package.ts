import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";

/** Milliseconds for a call of apt. */
const TIMEOUT = 300_000;

/**
 * Installs packages of Debian or Ubuntu where this can be done without asking: as root, on a system with apt. A service that comes
 * with them isn't started.
 */
export function installPackages(...names: readonly string[]): void {
  if (process.getuid?.() !== 0 || !existsSync("/usr/bin/apt-get")) return;
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive", SYSTEMD_OFFLINE: "1" };
  // Without a network it gives up soon.
  const network = ["-o", "Acquire::Retries=0", "-o", "Acquire::http::Timeout=10"];
  const run = (...args: readonly string[]) =>
    spawnSync("apt-get", [...network, ...args], { env, stdio: "ignore", timeout: TIMEOUT }).status === 0;
  const install = () => run("install", "-y", "--no-install-recommends", ...names);
  if (!install() && run("update")) install();
}
