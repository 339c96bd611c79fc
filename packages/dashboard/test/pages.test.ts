import { describe, expect, it, onTestFinished } from "vitest";
import { findBarriers } from "./support/accessibility.ts";
import { open } from "./support/browser.ts";
import { isSkipped } from "./support/chromium.ts";
import { APPROVAL, BAD_ORDER, GOOD_ORDER, ORDER, ORDER_URL, SLEEPER, trigger } from "./support/shop.ts";
import { APP, openWorld, type World } from "./support/world.ts";

const DAY = 86_400_000;

async function world(): Promise<World> {
  const shop = await openWorld({ served: [ORDER, APPROVAL, SLEEPER] });
  onTestFinished(() => shop.close());
  return shop;
}

describe.skipIf(isSkipped)("runs", () => {
  it("are started by a form that remembers the last payload", async () => {
    const shop = await world();
    await trigger(shop, ORDER_URL, GOOD_ORDER);
    await shop.settle(DAY);
    const { page } = await open(`${shop.url}/runs`);
    await page.getByRole("button", { name: "Start a run" }).click();
    const dialog = page.getByRole("dialog", { name: "Start a run" });
    await dialog.getByLabel("Workflow").fill(ORDER_URL);
    const payload = dialog.getByLabel("Payload");
    await expect.poll(() => payload.inputValue()).toContain(GOOD_ORDER.id);
    await payload.fill(JSON.stringify({ ...GOOD_ORDER, id: "A-7" }));
    const label = dialog.getByLabel("Label");
    await label.fill("by hand");
    expect(await findBarriers(page)).toEqual([]);
    await label.press("Enter");
    // The refusal can be read in the dialog, which stays open.
    await dialog.getByText('"by hand" must be of letters').waitFor();
    await label.fill("by-hand");
    await label.press("Enter");
    await page.getByText("The run has started").waitFor();
    await shop.settle(DAY);
    await page.getByRole("link", { name: "Open it" }).click();
    await page.getByRole("link", { name: "by-hand" }).waitFor();
    await page.getByText('"A-7"').first().waitFor();
  });

  it("that match a filter are counted first, and then resumed together", async () => {
    const shop = await world();
    for (let at = 0; at < 3; at++) await trigger(shop, ORDER_URL, BAD_ORDER);
    await trigger(shop, ORDER_URL, GOOD_ORDER);
    await shop.settle(DAY);
    const { page } = await open(`${shop.url}/runs`);
    await page.getByRole("button", { name: "Failed" }).click();
    await page.waitForURL(/state=/);
    const bulk = page.getByRole("group", { name: "Actions on many runs" });
    await bulk.getByRole("button", { name: "Resume…" }).click();
    const dialog = page.getByRole("dialog", { name: "Resume runs" });
    await dialog.getByText("3 failed runs match").waitFor();
    await dialog.getByRole("button", { name: "Resume 3 runs" }).click();
    await page.getByText("3 runs resumed").waitFor();
    await page.goBack();
    await expect.poll(() => page.locator("a[data-row]").count()).toBe(7);
  });

  it("that are selected are cancelled together", async () => {
    const shop = await world();
    for (let at = 0; at < 3; at++) await trigger(shop, `${APP}/sleeper`, {});
    await shop.settle();
    const { page } = await open(`${shop.url}/runs`);
    const boxes = page.locator("tbody").getByRole("checkbox");
    await boxes.nth(0).check();
    await boxes.nth(1).check();
    await page.getByText("2 runs selected").waitFor();
    await page.getByRole("button", { name: "Cancel…" }).click();
    await page.getByRole("button", { name: "Cancel 2 runs" }).click();
    await page.getByText("2 runs cancelled").waitFor();
    await expect.poll(() => page.locator("tbody").getByText("Cancelled").count()).toBe(2);
    expect(await page.locator("tbody").getByText("Running").count()).toBe(1);
  });
});

describe.skipIf(isSkipped)("dead letters", () => {
  it("are grouped by their error, and resumed or deleted all at once", async () => {
    const shop = await world();
    for (let at = 0; at < 2; at++) await trigger(shop, ORDER_URL, BAD_ORDER);
    await shop.ask("POST", `/v2/publish/${APP}/nowhere`, "{}", { "Upstash-Retries": "0" });
    await shop.settle(DAY);
    const { page } = await open(`${shop.url}/dead-letters`);
    const groups = page.locator(".group");
    await expect.poll(() => groups.count()).toBe(2);
    const declined = groups.filter({ hasText: "was declined" });
    expect(await declined.locator(".group-count").textContent()).toBe("2");
    // An entry shows the error itself, and not only the status of the answer.
    await page.locator("td").getByText("card 4242 … 0000 was declined").first().waitFor();
    await page.locator("td").getByText("no such endpoint").waitFor();
    expect(await findBarriers(page)).toEqual([]);
    await declined.getByRole("button", { name: "Resume all…" }).click();
    await page.getByRole("button", { name: "Resume 2 entries" }).click();
    await page.getByText("2 entries resumed").waitFor();
    await groups.getByRole("button", { name: "Delete all…" }).first().click();
    await page.getByRole("button", { name: "Delete 1 entry" }).click();
    await page.getByText("1 entry deleted").waitFor();
  });
});

describe.skipIf(isSkipped)("a dead letter", () => {
  it("whose endpoint has answered with a 2xx shows the engine's error, and not the answer", async () => {
    const plain = { paths: ["/plain"], serve: () => async () => new Response("all fine") };
    const shop = await openWorld({ served: [plain] });
    onTestFinished(() => shop.close());
    await trigger(shop, `${APP}/plain`, {});
    await shop.settle(DAY);
    const { page } = await open(`${shop.url}/dead-letters`);
    await page.locator("td").getByText("detected a non-workflow destination").waitFor();
    expect(await page.getByText("all fine").count()).toBe(0);
  });
});

describe.skipIf(isSkipped)("what waits", () => {
  it("gets an event, for all or for one, and says what holds messages back", async () => {
    const shop = await world();
    for (let at = 0; at < 2; at++) await trigger(shop, `${APP}/approval`, {});
    await shop.ask("POST", "/v2/queues", { queueName: "mails", parallelism: 1, paused: true });
    await shop.ask("POST", `/v2/enqueue/mails/${APP}/mail`, "hello");
    await shop.settle();
    const { page } = await open(`${shop.url}/waiting`);
    const queued = page.getByRole("row").filter({ hasText: "queued" });
    await queued.getByText(/^due /).waitFor();
    await queued.getByRole("link", { name: "mails" }).waitFor();
    expect(await findBarriers(page)).toEqual([]);
    await page.getByRole("button", { name: "To all…" }).first().click();
    const dialog = page.getByRole("dialog", { name: "Send an event" });
    await dialog.getByLabel("Data").fill('{"by":"Ada"}');
    await dialog.getByRole("button", { name: "Send" }).click();
    await page.getByText("Sent to 2").waitFor();
    await page.getByText("No run waits for an event").waitFor();
  });
});

describe.skipIf(isSkipped)("limits, schedules and groups", () => {
  it("queues are made, changed, paused and deleted", async () => {
    const shop = await world();
    const { page } = await open(`${shop.url}/queues`);
    await page.getByRole("button", { name: "Make a queue" }).first().click();
    await page.getByLabel("Name").fill("mails");
    await page.getByLabel("Messages at once").fill("2");
    await page.keyboard.press("Enter");
    const row = page.getByRole("row").filter({ hasText: "mails" });
    await row.getByRole("button", { name: "Pause" }).click();
    await row.getByText("paused").waitFor();
    await row.getByRole("button", { name: "Edit…" }).click();
    await page.getByLabel("Messages at once").fill("5");
    await page.getByRole("button", { name: "Save" }).click();
    await row.getByText("5", { exact: true }).waitFor();
    expect(await shop.ask("GET", "/v2/queues/mails")).toMatchObject({ parallelism: 5, paused: true });
  });

  it("a key is pinned, unpinned and paused", async () => {
    const shop = await world();
    const key = { "Upstash-Flow-Control-Key": "stripe", "Upstash-Flow-Control-Value": "parallelism=2" };
    await shop.ask("POST", `/v2/publish/${APP}/pay`, "{}", { ...key, "Upstash-Delay": "1h" });
    const { page } = await open(`${shop.url}/flow-control`);
    const row = page.getByRole("row").filter({ hasText: "stripe" });
    await row.getByText("0 of 2").waitFor();
    await row.getByRole("button", { name: "Pin…" }).click();
    await page.getByLabel("At once").fill("7");
    await page.getByRole("button", { name: "Pin", exact: true }).click();
    await row.getByText("0 of 7").waitFor();
    await row.getByRole("button", { name: "Unpin" }).click();
    await row.getByText("pinned").waitFor({ state: "detached" });
    await row.getByRole("button", { name: "Pause" }).click();
    await row.getByText("paused").waitFor();
    expect(await findBarriers(page)).toEqual([]);
  });

  it("a schedule keeps what the form doesn't show", async () => {
    const shop = await world();
    await shop.ask("POST", `/v2/schedules/${APP}/report`, "{}", {
      "Upstash-Cron": "0 8 * * *",
      "Upstash-Schedule-Id": "daily",
      "Upstash-Forward-X-Tenant": "acme",
    });
    const { page } = await open(`${shop.url}/schedules`);
    await page.getByRole("button", { name: "Edit…" }).click();
    await page.getByLabel("Cron").fill("0 9 * * *");
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByText("0 9 * * *", { exact: true }).waitFor();
    const schedule = await shop.ask<{ header: object }>("GET", "/v2/schedules/daily");
    expect(schedule).toMatchObject({ cron: "0 9 * * *", header: { "X-Tenant": ["acme"] } });
    await page.getByRole("button", { name: "Pause" }).click();
    await page.getByText("paused", { exact: true }).waitFor();
    await page.getByRole("button", { name: "Delete" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
    await page.getByText("No schedules").waitFor();
  });

  it("a URL group gets and loses endpoints", async () => {
    const shop = await world();
    const { page } = await open(`${shop.url}/url-groups`);
    await page.getByRole("button", { name: "Make a group" }).first().click();
    await page.getByLabel("Group", { exact: true }).fill("customers");
    await page.getByLabel("URL of the endpoint").fill(`${APP}/crm`);
    await page.keyboard.press("Enter");
    const group = page.getByRole("region", { name: "URL group customers" });
    await group.getByText(`${APP}/crm`).waitFor();
    await group.getByRole("button", { name: "Take out" }).click();
    await page.getByText("It is the last one: the group goes, too.").waitFor();
    await page.getByRole("dialog").getByRole("button", { name: "Take out" }).click();
    await page.getByText("No URL groups").waitFor();
  });
});

describe.skipIf(isSkipped)("the audit log", () => {
  it("has every action of the page in words, also an event", async () => {
    const shop = await world();
    const id = await trigger(shop, `${APP}/sleeper`, {});
    await shop.settle();
    const { page } = await open(`${shop.url}/runs/${id}`);
    await page.getByRole("button", { name: "Wake now" }).click();
    await page.getByText("The sleep is over").waitFor();
    await page.getByRole("link", { name: "Waiting" }).click();
    await page.getByRole("button", { name: "Send an event" }).click();
    await page.getByLabel("Event", { exact: true }).fill("paid");
    await page.keyboard.press("Enter");
    await page.getByText("Nothing waits for it now").waitFor();
    await page.getByRole("link", { name: "Audit log" }).click();
    const rows = page.locator("tbody tr");
    await expect.poll(() => rows.count()).toBe(2);
    expect(await rows.nth(0).textContent()).toContain("Sent an event");
    expect(await rows.nth(1).textContent()).toContain(`Ended a sleep${id}`);
    expect(await findBarriers(page)).toEqual([]);
  });
});
