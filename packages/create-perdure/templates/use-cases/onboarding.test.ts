import { testEngine } from "@perdure/test";
import { expect, it } from "vitest";
import { onboarding } from "../src/onboarding.ts";

it("sends mails for a week, in no time", async () => {
  await using t = await testEngine({ workflows: { "/onboarding": onboarding } });
  const begin = t.clock.now();
  const run = await t.trigger(onboarding, { email: "ada@example.com" });
  expect(await run.result()).toEqual({ email: "ada@example.com", activeOn: null });
  expect(t.clock.now() - begin).toBe(7 * 24 * 3_600_000);
});

it("stops as soon as the user is active", async () => {
  await using t = await testEngine({ workflows: { "/onboarding": onboarding } });
  const run = await t.trigger(onboarding, { email: "ada@example.com" });
  run.mock("active on day 3", { result: true });
  expect(await run.result()).toEqual({ email: "ada@example.com", activeOn: 3 });
});

it("calls the failure function when mails can't be sent", async () => {
  await using t = await testEngine({ workflows: { "/onboarding": onboarding } });
  const run = await t.trigger(onboarding, { email: "nobody" });
  await run.end();
  expect(run.failure?.answer).toEqual({ told: 'welcome failed: "nobody" is no address' });
});
