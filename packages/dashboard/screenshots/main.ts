// npm run screenshots: writes the pictures of README.md and docs/dashboard.md.
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type Browser, chromium } from "playwright-core";
import { findChromium, NO_BROWSER } from "../test/support/chromium.ts";
import { APPROVAL, BAD_ORDER, GOOD_ORDER, ORDER, ORDER_URL, SLEEPER, trigger } from "../test/support/shop.ts";
import { APP, openWorld, type World } from "../test/support/world.ts";

const IMAGES = new URL("../../../docs/images/", import.meta.url);
const MINUTE = 60_000;

/** Fills an engine with the runs that the pictures show. @returns the id of a failed run */
async function fill(shop: World): Promise<string> {
  for (let hour = 0; hour < 6; hour++) {
    for (let at = 0; at <= hour % 3; at++) {
      await trigger(shop, ORDER_URL, { ...GOOD_ORDER, id: `A-${1000 + 10 * hour + at}` });
      await shop.settle(MINUTE);
    }
    if (hour % 2 === 1) await trigger(shop, ORDER_URL, { ...BAD_ORDER, id: `A-${1005 + 10 * hour}` });
    await shop.settle(50 * MINUTE);
  }
  const failed = await trigger(shop, ORDER_URL, BAD_ORDER, { "Upstash-Label": "customer-81" });
  await shop.settle(MINUTE);
  await trigger(shop, `${APP}/approval`, { invoice: 7 });
  await trigger(shop, `${APP}/sleeper`, {});
  await shop.settle(MINUTE);
  return failed;
}

interface Picture {
  readonly name: string;
  readonly url: string;
  readonly height: number;
  /** The page's time, in milliseconds since 1970. */
  readonly at: number;
}

/** Writes what a page shows as WebP, which the browser itself encodes. */
async function shoot(browser: Browser, { name, url, height, at }: Picture): Promise<void> {
  const look = { deviceScaleFactor: 1.25, colorScheme: "light" } as const;
  const context = await browser.newContext({ ...look, viewport: { width: 1240, height } });
  await context.clock.setFixedTime(at);
  const page = await context.newPage();
  await page.goto(url);
  await page.getByText("Live", { exact: true }).waitFor();
  await page.waitForLoadState("networkidle", { timeout: 2000 }).catch(() => {});
  const png = (await page.screenshot({ animations: "disabled" })).toString("base64");
  await page.goto("about:blank");
  const webp = await page.evaluate(async (source) => {
    const image = new Image();
    image.src = `data:image/png;base64,${source}`;
    await image.decode();
    const canvas = Object.assign(document.createElement("canvas"), {
      width: image.width,
      height: image.height,
    });
    canvas.getContext("2d")?.drawImage(image, 0, 0);
    return canvas.toDataURL("image/webp", 0.8);
  }, png);
  writeFileSync(new URL(`${name}.webp`, IMAGES), Buffer.from(webp.split(",")[1] ?? "", "base64"));
  await context.close();
}

execFileSync(process.execPath, [fileURLToPath(new URL("../build.mjs", import.meta.url))]);
const executablePath = findChromium();
if (executablePath === undefined) throw new Error(NO_BROWSER);
const browser = await chromium.launch({
  executablePath,
  args: process.getuid?.() === 0 ? ["--no-sandbox"] : [],
});
const shop = await openWorld({ served: [ORDER, APPROVAL, SLEEPER] });
const failed = await fill(shop);
const at = shop.clock.now();
await shoot(browser, { name: "failure", url: `${shop.url}/runs/${failed}`, height: 1180, at });
await shoot(browser, { name: "runs", url: `${shop.url}/runs`, height: 820, at });
await shop.close();
await browser.close();
