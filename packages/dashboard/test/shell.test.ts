import { describe, expect, it, onTestFinished } from "vitest";
import { findBarriers } from "./support/accessibility.ts";
import { open } from "./support/browser.ts";
import { isSkipped } from "./support/chromium.ts";
import { BAD_ORDER, GOOD_ORDER, ORDER, ORDER_URL, SLEEPER, trigger } from "./support/shop.ts";
import { APP, openWorld, READ_ONLY, TOKEN, type World, type WorldOptions } from "./support/world.ts";

async function world(options: WorldOptions = { served: [ORDER, SLEEPER] }): Promise<World> {
  const opened = await openWorld(options);
  onTestFinished(() => opened.close());
  return opened;
}

const DAY = 86_400_000;

const PAGES = [
  "/runs",
  "/dead-letters",
  "/waiting",
  "/queues",
  "/flow-control",
  "/schedules",
  "/url-groups",
  "/audit",
];

describe.skipIf(isSkipped)("the login", () => {
  it("refuses a wrong token, takes a right one, and ends by logging out", async () => {
    const shop = await world({ dashboard: {} });
    const { page } = await open(`${shop.url}/queues`);
    const token = page.getByLabel("Token");
    await token.fill("wrong");
    await page.getByRole("button", { name: "Log in" }).click();
    await page.getByRole("alert").getByText("the token is not this engine's").waitFor();
    expect(await findBarriers(page)).toEqual([]);
    await token.fill(TOKEN);
    await page.getByLabel("Your name").fill("Ada");
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Queues", exact: true }).waitFor();
    await page.reload();
    await page.getByRole("heading", { name: "Queues", exact: true }).waitFor();
    await page.getByText("Ada", { exact: true }).waitFor();
    await page.getByRole("button", { name: "Log out" }).click();
    await token.waitFor();
    await page.reload();
    await token.waitFor();
  });

  it("by a read-only token shows everything, and no button that works", async () => {
    const shop = await world({ dashboard: {}, served: [SLEEPER] });
    const id = await trigger(shop, `${APP}/sleeper`, {});
    await shop.settle();
    const { page } = await open(`${shop.url}/runs/${id}`);
    await page.getByLabel("Token").fill(READ_ONLY);
    await page.getByRole("button", { name: "Log in" }).click();
    await page.getByText("Read only").waitFor();
    for (const name of ["Cancel…", "Wake now"]) {
      const button = page.getByRole("button", { name });
      await button.waitFor();
      expect(await button.isDisabled()).toBe(true);
      expect(await button.getAttribute("title")).toBe("This token may only read");
    }
  });
});

describe.skipIf(isSkipped)("the frame", () => {
  it("has every page on a base path of the app's choice", async () => {
    const shop = await world({ dashboard: { basePath: "/admin/flows", token: TOKEN } });
    const { page } = await open(shop.url);
    for (const path of PAGES) {
      const link = page.getByRole("navigation", { name: "Pages" }).locator(`a[href="/admin/flows${path}"]`);
      await link.click();
      await page.waitForURL(shop.url + path);
      expect(await link.getAttribute("aria-current")).toBe("page");
      await page.getByRole("heading", { level: 1 }).waitFor();
    }
    await page.goBack();
    await page.waitForURL(`${shop.url}/url-groups`);
    await page.goto(`${shop.url}/nowhere`);
    await page.getByText("There is no such page").waitFor();
  });

  it.each(["light", "dark"] as const)(
    "has no barriers in %s colours, with and without content",
    async (colorScheme) => {
      const shop = await world();
      const { page } = await open(shop.url, { colorScheme, reducedMotion: "reduce" });
      for (const path of PAGES) {
        await page.locator(`nav a[href$="${path}"]`).click();
        await page.locator(".empty, table, .card").first().waitFor();
        expect([path, await findBarriers(page)]).toEqual([path, []]);
      }
      await trigger(shop, ORDER_URL, GOOD_ORDER);
      await shop.settle();
      for (const [path, content] of [
        ["/runs", "table"],
        ["/nowhere", ".empty"],
        ["/runs/wfr_none", "[role=alert]"],
        ["/runs/%E0", "[role=alert]"],
      ] as const) {
        await page.goto(shop.url + path);
        await page.locator(content).waitFor();
        expect([path, await findBarriers(page)]).toEqual([path, []]);
      }
      const animations = await page.evaluate(() => document.getAnimations().length);
      expect(animations).toBe(0);
    },
  );

  it("lets the user choose the colours, and remembers them", async () => {
    const shop = await world();
    const { page } = await open(shop.url, { colorScheme: "light" });
    const background = (): Promise<string> =>
      page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
    const light = await background();
    await page.getByRole("button", { name: "Colours: system" }).click();
    await page.getByRole("button", { name: "Colours: light" }).click();
    await page.getByRole("button", { name: "Colours: dark" }).waitFor();
    expect(await background()).not.toBe(light);
    await page.reload();
    await page.getByRole("button", { name: "Colours: dark" }).waitFor();
    expect(await background()).not.toBe(light);
  });

  it("fits a telephone", async () => {
    const shop = await world();
    await trigger(shop, ORDER_URL, GOOD_ORDER);
    const failed = await trigger(shop, ORDER_URL, BAD_ORDER);
    await shop.settle(DAY);
    const { page } = await open(shop.url, { viewport: { width: 390, height: 800 } });
    const shown = {
      "/runs": "table",
      "/dead-letters": "table",
      [`/runs/${failed}`]: ".story",
      "/queues": "h1",
    };
    for (const [path, content] of Object.entries(shown)) {
      await page.goto(`${shop.url}${path}`);
      await page.locator(content).first().waitFor();
      expect(await page.evaluate(() => document.documentElement.scrollWidth), path).toBeLessThanOrEqual(390);
    }
  });

  it("works by the keyboard", async () => {
    const shop = await world();
    for (let at = 0; at < 3; at++) await trigger(shop, ORDER_URL, GOOD_ORDER);
    await shop.settle();
    const { page } = await open(`${shop.url}/runs`);
    const links = page.locator("a[data-row]");
    await expect.poll(() => links.count()).toBe(3);
    await page.keyboard.press("Tab");
    expect(await page.locator(":focus").textContent()).toBe("Skip to the content");
    await page.keyboard.press("/");
    expect(await page.locator(":focus").getAttribute("type")).toBe("search");
    await links.first().focus();
    await page.keyboard.press("ArrowDown");
    const second = await links.nth(1).textContent();
    expect(await page.locator(":focus").textContent()).toBe(second);
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { level: 1 }).getByText("/order").waitFor();
    expect(page.url()).toContain(second);
    // The link is gone: the focus is at the content, and not at the top of the page again.
    expect(await page.locator(":focus").getAttribute("id")).toBe("main");
  });

  it("gives the focus back after a dialog, also when its button is gone", async () => {
    const shop = await world();
    await shop.ask("POST", "/v2/queues", { queueName: "mails", parallelism: 1 });
    const { page } = await open(`${shop.url}/queues`);
    const remove = page.getByRole("button", { name: "Delete" });
    await remove.press("Enter");
    const dialog = page.getByRole("dialog");
    await dialog.waitFor();
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "hidden" });
    expect(await page.locator(":focus").textContent()).toBe("Delete");
    await page.keyboard.press("Enter");
    await dialog.getByRole("button", { name: "Delete" }).press("Enter");
    await page.getByText("No queues").waitFor();
    await expect.poll(() => page.locator(":focus").getAttribute("id")).toBe("main");
  });

  it("is live while it is visible, and paused while it is hidden", async () => {
    const shop = await world();
    const { page } = await open(`${shop.url}/runs`);
    await page.getByText("Live", { exact: true }).waitFor();
    await trigger(shop, ORDER_URL, GOOD_ORDER);
    await shop.settle();
    await expect.poll(() => page.locator("a[data-row]").count()).toBe(1);
    const hide = (hidden: boolean): Promise<void> =>
      page.evaluate((value) => {
        Object.defineProperty(document, "hidden", { value, configurable: true });
        document.dispatchEvent(new Event("visibilitychange"));
      }, hidden);
    await hide(true);
    await page.getByText("Paused", { exact: true }).waitFor();
    await trigger(shop, ORDER_URL, GOOD_ORDER);
    await shop.settle();
    expect(await page.locator("a[data-row]").count()).toBe(1);
    await hide(false);
    await expect.poll(() => page.locator("a[data-row]").count()).toBe(2);
  });

  it("has no animation that never ends", async () => {
    const shop = await world();
    const sleeping = await trigger(shop, `${APP}/sleeper`, {});
    const failed = await trigger(shop, ORDER_URL, BAD_ORDER);
    await shop.settle();
    const { page } = await open(`${shop.url}/runs`, { reducedMotion: "no-preference" });
    // The dot says that the stream has begun, and rests.
    const dot = page.locator(".live.is-live .dot");
    await dot.waitFor();
    expect(await dot.evaluate((one) => getComputedStyle(one).animationName)).toBe("pulse");
    for (const path of [...PAGES, `/runs/${sleeping}`, `/runs/${failed}`]) {
      await page.goto(shop.url + path);
      await page.locator("h1").waitFor();
      await dot.waitFor();
      await expect.poll(() => page.locator(".bone").count()).toBe(0);
      const ends = await page.evaluate(() =>
        document.getAnimations().map((one) => Number(one.effect?.getComputedTiming().endTime)),
      );
      expect(ends.filter((end) => end > 10_000)).toEqual([]);
    }
  });

  it("says what is wrong when the engine is away, and goes on when it is back", async () => {
    const shop = await world();
    const { page } = await open(`${shop.url}/queues`);
    await page.getByText("No queues").waitFor();
    await page.route("**/api/v2/topics", (route) => route.abort());
    await page.getByRole("link", { name: "URL groups" }).click();
    const alert = page.getByRole("alert");
    await alert.getByText("The engine can't be reached").waitFor();
    expect(await findBarriers(page)).toEqual([]);
    await page.unroute("**/api/v2/topics");
    await alert.getByRole("button", { name: "Try again" }).click();
    await page.getByText("No URL groups").waitFor();
  });
});
