import { testEngine } from "@perdure/test";
import { expect, it } from "vitest";
import { order } from "../src/order.ts";

const payload = { id: "7", card: "4242", amount: 20 };

it("charges, waits, and ships", async () => {
  await using t = await testEngine({ workflows: { "/order": order } });
  const run = await t.trigger(order, payload);
  expect(await run.result()).toEqual({ order: "7", payment: "pay_4242", parcel: "parcel_7" });
});

it("refunds and tells the customer when shipping fails for good", async () => {
  await using t = await testEngine({ workflows: { "/order": order } });
  const run = await t.trigger(order, payload);
  run.mock("ship", { error: new Error("no van") });
  await run.end();
  expect(run.state).toBe("RUN_FAILED");
  expect(run.rollbacks).toMatchObject([{ stepName: "charge", state: "done" }]);
  expect(run.failure?.answer).toEqual({ told: "ship failed: no van" });
});
