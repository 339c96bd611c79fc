import { testEngine } from "@perdure/test";
import { expect, it } from "vitest";
import { approval } from "../src/approval.ts";

const payload = { id: "7", employee: "Ada", amount: 120 };

it("waits for the manager", async () => {
  await using t = await testEngine({ workflows: { "/approval": approval } });
  const run = await t.trigger(approval, payload);
  await run.until.waiting("wait for the manager");
  await run.notify("approval-7", { ok: true });
  expect(await run.result()).toEqual({ expense: "7", approved: true });
});

it("declines when nobody answers for three days", async () => {
  await using t = await testEngine({ workflows: { "/approval": approval } });
  const run = await t.trigger(approval, payload);
  expect(await run.result()).toEqual({ expense: "7", approved: false });
});

it("tells the office when a step fails for good", async () => {
  await using t = await testEngine({ workflows: { "/approval": approval } });
  const run = await t.trigger(approval, payload);
  run.mock("ask the manager", { error: new Error("no mail") });
  await run.end();
  expect(run.failure?.answer).toEqual({ told: "ask the manager failed: no mail" });
});
