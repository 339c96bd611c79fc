import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";

/** Where Debian, Ubuntu, Fedora, Arch and macOS put the browser. */
const PLACES = [
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
  "/Applications/Chromium.app/Contents/MacOS/Chromium",
];

/** Finds the browser: `PERDURE_CHROMIUM`, or the first of the usual places. */
export function findChromium(): string | undefined {
  return [process.env.PERDURE_CHROMIUM, ...PLACES].find((path) => path !== undefined && existsSync(path));
}

/** True when the caller has said that there is no browser, and that its tests are left out. */
export const isSkipped = process.env.PERDURE_SKIP_BROWSER === "1";

export const NO_BROWSER =
  "The dashboard's tests need Chromium. Install it (Debian: apt-get install chromium), name it by " +
  "PERDURE_CHROMIUM=/path/to/it, or leave these tests out by PERDURE_SKIP_BROWSER=1.";

/** Installs the browser where this can be done without asking: as root, on a system with apt. */
export function installChromium(): void {
  if (findChromium() !== undefined || process.getuid?.() !== 0 || !existsSync("/usr/bin/apt-get")) return;
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  const run = (...args: string[]) => spawnSync("apt-get", args, { env, stdio: "ignore" });
  run("update");
  run("install", "-y", "--no-install-recommends", "chromium", "fonts-liberation");
}
