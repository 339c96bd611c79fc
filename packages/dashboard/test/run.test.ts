import { createWorkflow, serveMany, type WorkflowContext } from "@perdure/core";
import { describe, expect, it, onTestFinished } from "vitest";
import { findBarriers } from "./support/accessibility.ts";
import { open } from "./support/browser.ts";
import { isSkipped } from "./support/chromium.ts";
import {
  APPROVAL,
  BAD_ORDER,
  fulfil,
  GOOD_ORDER,
  ORDER,
  ORDER_OPTIONS,
  ORDER_URL,
  SLEEPER,
  trigger,
} from "./support/shop.ts";
import { APP, openWorld, type Served, served, type World } from "./support/world.ts";

async function world(...served: Served[]): Promise<World> {
  const opened = await openWorld({ served });
  onTestFinished(() => opened.close());
  return opened;
}

const DAY = 86_400_000;

describe.skipIf(isSkipped)("the story of a failure", () => {
  it("says on one page what failed, what followed, and what to do", async () => {
    const shop = await world(ORDER);
    const id = await trigger(shop, ORDER_URL, BAD_ORDER);
    await shop.settle(DAY);
    const { page } = await open(`${shop.url}/runs/${id}`);
    const story = page.locator(".story");
    await expect
      .poll(() => story.locator(".headline h2").textContent())
      .toBe("charge failed: card 4242 … 0000 was declined");
    await expect
      .poll(() => story.locator(".headline p").textContent())
      .toMatch(
        /^4 attempts, then the run failed\. 2 steps were rolled back\. The failure function was called and returned\. The run waits in the dead letter queue\.$/,
      );
    // Every attempt, with the wait before it.
    expect(await story.locator(".attempts li").count()).toBe(4);
    expect(await story.locator(".strip-wait").allTextContents()).toEqual(["1 s", "2 s", "4 s"]);
    // The chain of causes, and the stack.
    await expect.poll(() => story.locator(".error-card").textContent()).toContain("issuer answered 51");
    await story.locator(".error-card .stack summary").last().click();
    expect(await story.locator(".error-card .stack pre").last().textContent()).toContain("shop.ts");
    // What was rolled back, in its order.
    expect(await story.locator(".rollback-name").allTextContents()).toEqual(["reserve lamp", "reserve book"]);
    // What the failure function was given, and what it returned.
    const columns = story.locator(".two-columns section");
    expect(await columns.nth(0).textContent()).toContain("card 4242 … 0000 was declined");
    expect(await columns.nth(1).textContent()).toContain("Your order can't be fulfilled");
    expect(await findBarriers(page)).toEqual([]);
    // Where the actions stand below the story, its head leads to them.
    const toActions = story.getByRole("button", { name: "What to do" });
    expect(await toActions.isVisible()).toBe(false);
    await page.setViewportSize({ width: 390, height: 800 });
    await toActions.click();
    await expect
      .poll(() =>
        page.getByRole("region", { name: "What to do" }).evaluate((one) => one.getBoundingClientRect().top),
      )
      .toBeLessThan(800);
    // The group of failures with the same error.
    await story.getByRole("link", { name: "Failures like this one" }).click();
    await page.waitForURL(/dead-letters\?fingerprint=/);
    await page.getByRole("link", { name: id }).waitFor();
  });

  it("shows the causes of an error with long stacks and a long message", async () => {
    const fail = async (context: WorkflowContext<never>): Promise<void> => {
      await context.run("charge", () => {
        const cause = new Error("issuer answered 51");
        const error = new Error(`declined: ${"x".repeat(6000)}`, { cause });
        for (const one of [error, cause]) {
          one.stack += "\n    at run (/a/long/path/to/node_modules/file.js:1:1)".repeat(80);
        }
        throw error;
      });
    };
    const shop = await world(served("/order", fail, { retries: 1 }));
    const id = await trigger(shop, ORDER_URL, BAD_ORDER);
    await shop.settle(DAY);
    const { page } = await open(`${shop.url}/runs/${id}`);
    const story = page.locator(".story");
    await expect.poll(() => story.locator(".error-card").textContent()).toContain("issuer answered 51");
    const attempts = await story.locator(".attempts li").allTextContents();
    expect(attempts).toHaveLength(2);
    for (const text of attempts) expect(text).toMatch(/^.{0,20}declined: x/);
  });

  it("resumes, restarts and deletes, and says so", async () => {
    const shop = await world(ORDER);
    const id = await trigger(shop, ORDER_URL, BAD_ORDER);
    await shop.settle(DAY);
    const { page } = await open(`${shop.url}/runs/${id}`);
    await page.getByRole("button", { name: "Restart" }).click();
    await page.getByText("Restarted as a new run").waitFor();
    await shop.settle(DAY);
    await page.getByRole("link", { name: "Open it" }).click();
    await page.getByRole("button", { name: "Delete" }).click();
    const dialog = page.getByRole("dialog", { name: "Delete the dead letter?" });
    await dialog.getByRole("button", { name: "Keep" }).click();
    await dialog.waitFor({ state: "hidden" });
    await page.getByRole("button", { name: "Delete" }).click();
    await dialog.getByRole("button", { name: "Delete" }).click();
    await page.getByText("No dead letter any more").waitFor();
  });

  it("resumes with another payload", async () => {
    const shop = await world(ORDER);
    const id = await trigger(shop, ORDER_URL, BAD_ORDER);
    await shop.settle(DAY);
    const { page } = await open(`${shop.url}/runs/${id}`);
    await page.getByRole("button", { name: "Resume with changes…" }).click();
    const dialog = page.getByRole("dialog", { name: "Go on with changes" });
    const payload = dialog.getByLabel("Payload");
    expect(JSON.parse(await payload.inputValue())).toEqual(BAD_ORDER);
    await payload.fill(JSON.stringify({ ...BAD_ORDER, card: GOOD_ORDER.card }));
    expect(await findBarriers(page)).toEqual([]);
    await dialog.getByRole("button", { name: "Resume" }).click();
    await page.getByText("Resumed as a new run").waitFor();
    await shop.settle(DAY);
    await page.getByRole("link", { name: "Open it" }).click();
    await page.getByText("Succeeded").waitFor();
    await page.getByText("pay_81").first().waitFor();
  });

  it("resumes with other data of an event, which it shows as the workflow got it", async () => {
    const approve = async (context: WorkflowContext<never>): Promise<unknown> => {
      const { eventData } = await context.waitForEvent<{ by: string }>("approval", "go", { timeout: "2d" });
      if (eventData?.by !== "Grace") throw new Error("not by Grace");
      return eventData;
    };
    const shop = await world(served("/order", approve, { retries: 0 }));
    const id = await trigger(shop, ORDER_URL, GOOD_ORDER);
    await shop.settle();
    await shop.ask("POST", "/v2/notify/go", { by: "Ada" });
    await shop.settle(DAY);
    const { page } = await open(`${shop.url}/runs/${id}`);
    await page.getByRole("treeitem").filter({ hasText: "approval" }).click();
    const panel = page.getByRole("complementary", { name: "Step approval" });
    await panel.getByText('"Ada"').waitFor();
    await panel.getByRole("button", { name: "Close step" }).click();
    await page.getByRole("button", { name: "Resume with changes…" }).click();
    const dialog = page.getByRole("dialog", { name: "Go on with changes" });
    await dialog.getByText("approval").click();
    const result = dialog.getByLabel("Result as JSON");
    expect(JSON.parse(await result.inputValue())).toEqual({ by: "Ada" });
    await result.fill('{"by":"Grace"}');
    await dialog.getByRole("button", { name: "Resume" }).click();
    await page.getByText("Resumed as a new run").waitFor();
    await shop.settle(DAY);
    await page.getByRole("link", { name: "Open it" }).click();
    await page.getByText("Succeeded").waitFor();
  });

  it("calls a failure function again that has failed itself", async () => {
    let broken = true;
    const failureFunction = (): void => {
      if (broken) throw new Error("the mail server is away");
    };
    const shop = await world(served("/order", fulfil, { ...ORDER_OPTIONS, failureFunction }));
    const id = await trigger(shop, ORDER_URL, BAD_ORDER);
    await shop.settle(DAY);
    const { page } = await open(`${shop.url}/runs/${id}`);
    await page.getByText("The failure function failed, too").waitFor();
    broken = false;
    await page.getByRole("button", { name: "Call the failure function again" }).click();
    await page.getByText("The failure function is called again").waitFor();
    await shop.settle(DAY);
    await page.getByText("The failure function was called and returned").waitFor();
  });

  it("retries rollbacks that failed", async () => {
    let broken = true;
    const workflow = async (context: WorkflowContext<never>): Promise<void> => {
      await context.run("reserve", () => 1, {
        rollback: () => {
          if (broken) throw new Error("the shelf is locked");
        },
        rollbackRetries: 0,
      });
      await context.run("charge", () => {
        throw new Error("declined");
      });
    };
    const shop = await world(served("/stuck", workflow, { retries: 0, failureFunction: () => {} }));
    const id = await trigger(shop, `${APP}/stuck`, {});
    await shop.settle(DAY);
    const { page } = await open(`${shop.url}/runs/${id}`);
    await page.getByRole("heading", { name: "The rollback failed" }).waitFor();
    await page.getByText("the shelf is locked").first().waitFor();
    broken = false;
    await page.getByRole("button", { name: "Retry the rollbacks" }).click();
    await page.getByText("The failed rollbacks are made again").waitFor();
    await shop.settle(DAY);
    await page.getByRole("heading", { name: "Rolled back 1 step" }).waitFor();
  });
});

describe.skipIf(isSkipped)("a run", () => {
  it("that has ended shows its result, payload and steps", async () => {
    const shop = await world(ORDER);
    const id = await trigger(shop, ORDER_URL, GOOD_ORDER, { "Upstash-Label": "eu" });
    await shop.settle(DAY);
    const { page } = await open(`${shop.url}/runs/${id}`);
    await page.getByText("Succeeded").waitFor();
    await page.getByRole("region", { name: "Result" }).getByText("pay_81").waitFor();
    const rows = page.getByRole("treeitem");
    await expect.poll(() => rows.count()).toBe(4);
    await rows.filter({ hasText: "quote shipping" }).click();
    const panel = page.getByRole("complementary", { name: "Step quote shipping" });
    await panel.getByText('"DHL"').waitFor();
    expect(await findBarriers(page)).toEqual([]);
    await panel.getByRole("button", { name: "Close step" }).click();
    await panel.waitFor({ state: "hidden" });
  });

  it("folds JSON", async () => {
    const shop = await world(ORDER);
    const id = await trigger(shop, ORDER_URL, {
      ...GOOD_ORDER,
      deep: { a: { b: { c: "hidden at first" } } },
    });
    await shop.settle(DAY);
    const { page } = await open(`${shop.url}/runs/${id}`);
    const payload = page.getByRole("region", { name: "Payload" });
    await payload.getByText("deep").waitFor();
    expect(await payload.getByText("hidden at first").count()).toBe(0);
    await payload.getByRole("button", { name: /^a:/ }).click();
    await payload.getByRole("button", { name: /^b:/ }).click();
    await payload.getByText("hidden at first").waitFor();
    await payload.getByRole("button", { name: /^deep:/ }).click();
    await payload.getByText("hidden at first").waitFor({ state: "detached" });
  });

  it("says what it waits for, gets the event, and is live", async () => {
    const shop = await world(APPROVAL);
    const id = await trigger(shop, `${APP}/approval`, { id: 1 });
    await shop.settle();
    const { page } = await open(`${shop.url}/runs/${id}`);
    const waits = page.getByRole("region", { name: "What it waits for" });
    await waits.getByText("approval", { exact: true }).waitFor();
    await waits.getByText(/^until .*in (1|2) d/).waitFor();
    await waits.getByRole("button", { name: "Send the event…" }).click();
    const dialog = page.getByRole("dialog", { name: "Send an event" });
    await dialog.getByLabel("Data").fill('{"by":"Ada"}');
    await dialog.getByRole("button", { name: "Send" }).click();
    await page.getByText("Sent to 1").waitFor();
    await shop.settle();
    await page.getByText("Succeeded").waitFor();
    await page.getByRole("region", { name: "Result" }).getByText('"Ada"').waitFor();
  });

  it("that sleeps is woken", async () => {
    const shop = await world(SLEEPER);
    const id = await trigger(shop, `${APP}/sleeper`, {});
    await shop.settle();
    const { page } = await open(`${shop.url}/runs/${id}`);
    await page.getByRole("button", { name: "Wake now" }).click();
    await page.getByText("The sleep is over").waitFor();
    await shop.settle();
    await page.getByText("Succeeded").waitFor();
  });

  it("that backs off is retried at once, and can be cancelled", async () => {
    const shop = await world(served("/order", fulfil, { ...ORDER_OPTIONS, retryDelay: "1h" }));
    const id = await trigger(shop, ORDER_URL, BAD_ORDER);
    await shop.settle();
    const { page } = await open(`${shop.url}/runs/${id}`);
    await page.getByText(/Attempt 2 of 4/).waitFor();
    await page.getByRole("button", { name: "Retry now" }).click();
    await page.getByText("The next attempt begins now").waitFor();
    await shop.settle();
    await page.getByText(/Attempt 3 of 4/).waitFor();
    await page.getByRole("button", { name: "Cancel…" }).click();
    await page.getByRole("button", { name: "Cancel the run" }).click();
    await page.getByText("Cancelled", { exact: true }).waitFor();
  });

  it("that was cancelled says what was rolled back, and what its cancel function did", async () => {
    const nap = async (context: WorkflowContext<unknown>): Promise<void> => {
      await context.run("reserve", () => 7, { rollback: () => {} });
      await context.sleep("nap", "1d");
    };
    const options = { rollbackOnCancel: true, cancelFunction: () => "the shelf is free" };
    const shop = await world(served("/order", nap, options));
    const id = await trigger(shop, ORDER_URL, GOOD_ORDER);
    await shop.settle();
    const { page } = await open(`${shop.url}/runs/${id}`);
    await page.getByRole("button", { name: "Cancel…" }).click();
    await page.getByRole("button", { name: "Cancel the run" }).click();
    await shop.settle();
    const story = page.getByRole("list", { name: "After the cancellation" });
    await story.getByText("the shelf is free").waitFor();
    expect(await story.locator(".rollback-name").allTextContents()).toEqual(["reserve"]);
    expect(await story.locator("h3").allTextContents()).toEqual(["Rolled back 1 step", "Cancel function"]);
    expect(await findBarriers(page)).toEqual([]);
  });

  it("shows the steps of the runs that it has invoked", async () => {
    const child = createWorkflow(async (context: WorkflowContext<unknown>) =>
      context.run("inner work", () => 42),
    );
    const parent = createWorkflow(async (context: WorkflowContext<unknown>) =>
      context.invoke("child", { workflow: child, body: {} }),
    );
    const shop = await world({
      paths: ["/parent", "/child"],
      serve: (connection) => serveMany({ parent, child }, connection).handler,
    });
    const id = await trigger(shop, `${APP}/parent`, {});
    await shop.settle(DAY);
    const { page } = await open(`${shop.url}/runs/${id}`);
    await page.getByRole("button", { name: "Show the steps of the invoked run" }).click();
    const inner = page.getByRole("treeitem").filter({ hasText: "inner work" });
    await inner.waitFor();
    await page.getByRole("button", { name: "Hide the steps of the invoked run" }).click();
    await inner.waitFor({ state: "detached" });
    await page.getByRole("treeitem").filter({ hasText: "child" }).click();
    await page.keyboard.press("ArrowRight");
    await inner.waitFor();
  });

  it("that isn't there says so", async () => {
    const shop = await world();
    const { page } = await open(`${shop.url}/runs/wfr_none`);
    await page.getByRole("alert").getByText("Not found", { exact: true }).waitFor();
  });

  it("of 10 000 steps scrolls with few elements, and by the keyboard", async () => {
    const count = 10_000;
    const workflow = async (context: WorkflowContext<never>): Promise<void> => {
      for (let at = 0; at < count; at += 1000) {
        const names = Array.from({ length: 1000 }, (_, more) => `step ${at + more}`);
        await Promise.all(names.map((name) => context.run(name, () => 1)));
      }
    };
    const shop = await world(
      served("/many", workflow, { inline: { maxSteps: count + 1, maxDuration: "10m" } }),
    );
    const id = await trigger(shop, `${APP}/many`, {});
    await shop.settle(DAY);
    const { page } = await open(`${shop.url}/runs/${id}`);
    const list = page.getByRole("tree", { name: "10,000 steps of the run" });
    await list.waitFor();
    expect(await page.getByRole("treeitem").count()).toBeLessThan(80);
    await list.focus();
    await page.keyboard.press("End");
    await page.getByRole("treeitem", { selected: true }).getByText("step 9999").waitFor();
    expect(await page.getByRole("treeitem").count()).toBeLessThan(80);
    // Wherever the list stands, it draws the rows of the window, and few more.
    const most = await list.evaluate(async (element) => {
      let count = 0;
      for (let at = 0; at < 20; at++) {
        element.scrollTop = at * 12_345;
        await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
        count = Math.max(count, element.querySelectorAll("[role=treeitem]").length);
      }
      return count;
    });
    expect(most).toBeLessThan(80);
  });
});

describe.skipIf(isSkipped)("strings of users", () => {
  it("are text everywhere: HTML, colours of terminals and marks that reorder", async () => {
    const EVIL = '<img src=x onerror="globalThis.hit=1"><script>globalThis.hit=1</script>\u001b[31m\u202egnp';
    const workflow = async (context: WorkflowContext<never>): Promise<void> => {
      await context.run(`step ${EVIL}`, () => ({ [EVIL]: EVIL }), { rollback: () => {} });
      await context.run(`last ${EVIL}`, () => {
        throw new TypeError(EVIL, { cause: new Error(`cause ${EVIL}`) });
      });
    };
    const shop = await world(
      served("/evil", workflow, { retries: 1, retryDelay: 1, failureFunction: () => ({ text: EVIL }) }),
    );
    const id = await trigger(shop, `${APP}/evil`, { [EVIL]: [EVIL] });
    await shop.settle(DAY);
    const { page } = await open(`${shop.url}/runs/${id}`);
    await page.getByText("⟨U+202E⟩").first().waitFor();
    for (const summary of await page.locator("details:not([open]) > summary").all()) {
      if (await summary.isVisible()) await summary.click();
    }
    const failed = page.getByRole("treeitem").filter({ hasText: "last" });
    await failed.first().click();
    for (const path of ["/runs", "/dead-letters", `/runs/${id}`]) {
      if (path !== `/runs/${id}`) await page.goto(shop.url + path);
      await page.getByText("<img").first().waitFor();
      const found = await page.evaluate(() => ({
        hit: "hit" in globalThis,
        images: document.images.length,
        scripts: document.scripts.length,
        raw: ["\u001b", "\u202e"].some((mark) => document.body.textContent?.includes(mark)),
      }));
      expect(found).toEqual({ hit: false, images: 0, scripts: 1, raw: false });
    }
  });
});
