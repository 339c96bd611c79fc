import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import type { TestProject } from "vitest/node";
import { findChromium, installChromium, isSkipped } from "./support/chromium.ts";

declare module "vitest" {
  export interface ProvidedContext {
    /** The browser of the project's tests; absent where there is none. */
    readonly browser: SharedBrowser | undefined;
  }
}

interface SharedBrowser {
  /** Where tests connect to it. */
  readonly url: string;
  /** An empty page of the site that the tests' pages are of. */
  readonly emptyPage: string;
}

/**
 * Builds the page, installs the browser where it is missing, and starts it for all files of the project.
 *
 * @returns the function that stops the browser
 */
export default async function setup(project: TestProject): Promise<(() => Promise<void>) | undefined> {
  // `vitest list` only names the tests.
  if (process.argv.includes("list")) return undefined;
  execFileSync(process.execPath, [fileURLToPath(new URL("../build.mjs", import.meta.url))]);
  if (isSkipped) return undefined;
  installChromium();
  const executablePath = findChromium();
  if (executablePath === undefined) return undefined;
  const args = process.getuid?.() === 0 ? ["--no-sandbox"] : [];
  const browser = await chromium.launchServer({ executablePath, host: "127.0.0.1", args });
  const server = createServer((_, response) => {
    response.setHeader("Content-Type", "text/html").end("<!doctype html><link rel=icon href=data:,>");
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  project.provide("browser", { url: browser.wsEndpoint(), emptyPage: `http://127.0.0.1:${port}/` });
  return async () => {
    await browser.close();
    server.closeAllConnections();
    server.close();
  };
}
