import {
  type Browser,
  type BrowserContextOptions,
  type ConsoleMessage,
  chromium,
  type Page,
  type Request,
} from "playwright-core";
import { expect, inject, onTestFinished } from "vitest";
import type {} from "../setup.ts";
import { NO_BROWSER } from "./chromium.ts";

let browser: Promise<Browser> | undefined;

/** The browser that all tests share. */
function connect(): Promise<Browser> {
  browser ??= chromium.connect(inject("browser")?.url ?? expect.fail(NO_BROWSER));
  return browser;
}

/** Without animations, which keep the browser busy while a page waits. */
const OPTIONS = { viewport: { width: 1280, height: 900 }, reducedMotion: "reduce" } as const;

/** Pages that no test uses now, by the options of their contexts. Each one is the only page of its context. */
const free = new Map<string, Page[]>();

/** Takes a page that another test has given back: to make a context and a page, the browser needs a second of its CPU. */
async function takePage(options: BrowserContextOptions): Promise<Page> {
  const kept = free.get(JSON.stringify(options))?.pop();
  if (kept) return kept;
  const context = await (await connect()).newContext(options);
  return context.newPage();
}

/** Gives a page back without all that the browser has stored of it. */
async function freePage(page: Page, options: BrowserContextOptions, origin: string): Promise<void> {
  const context = page.context();
  await page.setViewportSize(options.viewport ?? OPTIONS.viewport);
  for (const other of context.pages()) if (other !== page) await other.close();
  await page.unrouteAll();
  // On an empty page of the same site: its process serves the next test.
  await page.goto(inject("browser")?.emptyPage ?? "");
  const session = await context.newCDPSession(page);
  await session.send("Storage.clearDataForOrigin", { origin, storageTypes: "all" });
  await session.detach();
  await context.clearCookies();
  const key = JSON.stringify(options);
  free.set(key, [...(free.get(key) ?? []), page]);
}

/** A page, and what went wrong in it. */
export interface Visit {
  readonly page: Page;
  /** Errors of scripts, and violations of the page's policy. */
  readonly errors: string[];
  /** The origins that the page has sent requests to. */
  readonly origins: Set<string>;
}

/**
 * Opens an address in a page with nothing of other tests. The test gives the page back at its end, and fails by any error in
 * it.
 */
export async function open(url: string, more: BrowserContextOptions = {}): Promise<Visit> {
  const options = { ...OPTIONS, ...more };
  const { origin } = new URL(url);
  const page = await takePage(options);
  page.setDefaultTimeout(60_000);
  const errors: string[] = [];
  const origins = new Set<string>();
  const onError = (error: Error): void => void errors.push(String(error));
  const onConsole = (message: ConsoleMessage): void => {
    const text = message.text();
    // Refused requests are a test's own doing.
    if (message.type() === "error" && !text.startsWith("Failed to load resource")) errors.push(text);
  };
  const onRequest = (request: Request): void => {
    if (!request.url().startsWith("data:")) origins.add(new URL(request.url()).origin);
  };
  page.on("pageerror", onError).on("console", onConsole).on("request", onRequest);
  onTestFinished(async () => {
    page.off("pageerror", onError).off("console", onConsole).off("request", onRequest);
    await freePage(page, options, origin);
    expect(errors).toEqual([]);
    expect([...origins]).toEqual([origin]);
  });
  await page.goto(url);
  return { page, errors, origins };
}
