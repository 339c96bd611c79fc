import { describe, expect, it, onTestFinished } from "vitest";
import { open } from "./support/browser.ts";
import { isSkipped } from "./support/chromium.ts";
import { BAD_ORDER, GOOD_ORDER, ORDER, ORDER_URL, trigger } from "./support/shop.ts";
import { openWorld, READ_ONLY, type World, type WorldOptions } from "./support/world.ts";

async function world(options: WorldOptions): Promise<World> {
  const shop = await openWorld({ served: [ORDER], ...options });
  onTestFinished(() => shop.close());
  return shop;
}

const FIELD = "Search payloads, steps, results and errors";

describe.skipIf(isSkipped)("the search", () => {
  it("finds runs by words of their texts, says so where it finds none, and goes into the URL", async () => {
    const shop = await world({});
    const good = await trigger(shop, ORDER_URL, { ...GOOD_ORDER, note: "gift wrap" });
    const bad = await trigger(shop, ORDER_URL, { ...BAD_ORDER, note: "no wrap" });
    await shop.settle();
    const { page } = await open(`${shop.url}/runs`);
    const row = (id: string) => page.getByRole("link", { name: id });
    await row(good).waitFor();
    const field = page.getByLabel(FIELD);
    await field.fill('"gift wr');
    await page.getByText("No run matches").waitFor();
    await field.fill("gift wr");
    await row(good).waitFor();
    expect(await row(bad).count()).toBe(0);
    expect(new URL(page.url()).searchParams.get("search")).toBe("gift wr");
    await page.reload();
    await row(good).waitFor();
    expect(await field.inputValue()).toBe("gift wr");
    await field.fill("wrap");
    await row(bad).waitFor();
  });

  it("is by ids where the engine or the token can't search in texts", async () => {
    for (const engine of [{ search: false }, { hidePayloads: true }]) {
      const shop = await world({ engine, ...(engine.hidePayloads ? { dashboard: {} } : {}) });
      const id = await trigger(shop, ORDER_URL, GOOD_ORDER);
      const { page } = await open(`${shop.url}/runs`);
      if (engine.hidePayloads) {
        await page.getByLabel("Token").fill(READ_ONLY);
        await page.keyboard.press("Enter");
      }
      await page.getByLabel("Search by the beginning of a run's id").fill(id.slice(0, 9));
      await page.getByRole("link", { name: id }).waitFor();
      expect(await page.getByLabel(FIELD).count()).toBe(0);
    }
  });
});
