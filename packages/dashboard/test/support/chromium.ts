import { existsSync } from "node:fs";
import { installPackages } from "@perdure/test-support/system-package";

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

/** Installs the browser where this can be done without asking. */
export function installChromium(): void {
  if (findChromium() === undefined) installPackages("chromium", "fonts-liberation");
}
