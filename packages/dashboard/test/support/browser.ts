import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { expect, onTestFinished } from "vitest";
import { findChromium, NO_BROWSER } from "./chromium.ts";

let browser: Promise<Browser> | undefined;

/** The browser that all tests of a process share. It ends with the process. */
export function launch(): Promise<Browser> {
  browser ??= start();
  return browser;
}

async function start(): Promise<Browser> {
  const executablePath = findChromium() ?? expect.fail(NO_BROWSER);
  const isRoot = process.getuid?.() === 0;
  return chromium.launch({ executablePath, args: isRoot ? ["--no-sandbox"] : [] });
}

/** A page, and what went wrong in it. */
export interface Visit {
  readonly page: Page;
  /** Errors of scripts, and violations of the page's policy. */
  readonly errors: string[];
  /** The origins that the page has sent requests to. */
  readonly origins: Set<string>;
}

/** Opens a page in a context of its own. The test closes it at its end, and fails by any error in the page. */
export async function open(url: string, options: BrowserContextOptions = {}): Promise<Visit> {
  const context = await (await launch()).newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(60_000);
  const errors: string[] = [];
  const origins = new Set<string>();
  page.on("pageerror", (error) => errors.push(String(error)));
  page.on("console", (message) => {
    const text = message.text();
    // Refused requests are a test's own doing.
    if (message.type() === "error" && !text.startsWith("Failed to load resource")) errors.push(text);
  });
  page.on("request", (request) => {
    if (!request.url().startsWith("data:")) origins.add(new URL(request.url()).origin);
  });
  onTestFinished(async () => {
    await context.close();
    expect(errors).toEqual([]);
    expect([...origins]).toEqual([new URL(url).origin]);
  });
  await page.goto(url);
  return { page, errors, origins };
}
