import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { installChromium, isSkipped } from "./support/chromium.ts";

/** Builds the page, and installs the browser where it is missing. */
export default function setup(): void {
  execFileSync(process.execPath, [fileURLToPath(new URL("../build.mjs", import.meta.url))]);
  if (!isSkipped) installChromium();
}
