import { type Example, startExample } from "@perdure/example-shared/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const BUILD_MS = 120_000;

describe("the example for Next.js", () => {
  let example: Example;
  beforeAll(async () => {
    example = await startExample("nextjs");
  }, BUILD_MS);
  afterAll(() => example?.stop());

  /** Presses a button of the page, as a browser without JavaScript does. @returns the page it leads to */
  async function press(button: string): Promise<string> {
    const page = await (await fetch(example.url)).text();
    const form = page.split("<form").find((each) => each.includes(`>${button}</button>`)) ?? "";
    const body = new FormData();
    for (const [, input = ""] of form.matchAll(/<input type="hidden" ([^>]*)>/g)) {
      const value = (name: string) => new RegExp(`${name}="([^"]*)"`).exec(input)?.[1] ?? "";
      body.set(value("name"), value("value").replaceAll("&quot;", '"'));
    }
    const answer = await fetch(example.url, { method: "POST", body, redirect: "manual" });
    expect(answer.status).toBe(303);
    return new URL(answer.headers.get("Location") ?? "", example.url).href;
  }

  /** The page once it says so, without its marks. */
  async function shows(url: string, text: string): Promise<string> {
    for (;;) {
      const page = (await (await fetch(url)).text()).replace(/<script.*?<\/script>|<[^>]*>/gs, "");
      if (page.includes(text)) return page;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  it.concurrent("shows an order that is fulfilled", async () => {
    const page = await shows(await press("One that is fulfilled"), "Another one");
    expect(page).toContain("RUN_SUCCESS");
    expect(page).toContain("parcel-1001");
  });

  it.concurrent("shows one whose card is declined, and what the failure function did", async () => {
    const page = await shows(await press("One whose card is declined"), "Another one");
    expect(page).toContain("RUN_FAILED");
    expect(page).toContain("failure function: CALLBACK_SUCCESS");
    expect(page).toContain("1 desk");
    await example.app.line(/undone: .*"released":\["1 desk"\]/);
  });
});
