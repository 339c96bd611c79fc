import { serve } from "@perdure/core";
import { assertReplays, type TestRun, testEngine } from "@perdure/test";
import { expect, it } from "vitest";
import { fulfil, orderSchema, undo } from "../src/order.ts";
import { openShop } from "../src/shop.ts";

const shop = openShop({ write: () => {} });
const order = serve(fulfil(shop), { schema: orderSchema, failureFunction: undo(shop) });
const lamp = { id: "7", card: "4242", items: [{ sku: "lamp", quantity: 1, price: 40 }] };

it("fulfils an order", async () => {
  await using t = await testEngine({ workflows: { "/order": order } });
  const run = await t.trigger(order, lamp);
  const result = await run.result();
  expect(result).toEqual({ order: "7", paid: "payment-4242", parcel: "parcel-7" });
});

it("charges again when the bank is away", async () => {
  await using t = await testEngine({ workflows: { "/order": order } });
  const run = await t.trigger(order, lamp);
  run.mock("charge", { error: new Error("the bank is away"), times: 2 });
  run.mock("charge", { result: { id: "payment-1", amount: 40 } });
  expect(await run.result()).toMatchObject({ paid: "payment-1" });
  const charge = run.steps.find(({ name }) => name === "charge");
  expect(charge?.attempts.map(({ at }) => at)).toEqual([0, 12_000, 160_000]);
});

it("ships only once the van is there", async () => {
  await using t = await testEngine({ workflows: { "/order": order } });
  const run = await t.trigger(order, lamp);
  await run.until({ step: "wait for the van" });
  expect(run.steps.map(({ name }) => name)).not.toContain("ship");
  await t.clock.advance("2s");
  expect(run.steps.map(({ name }) => name)).toContain("ship");
});

it("puts the lamp back and tells the customer when the card is declined", async () => {
  await using t = await testEngine({ workflows: { "/order": order } });
  const run = await t.trigger(order, { ...lamp, card: "0000" });
  await expect(run.result()).rejects.toThrow("card 0000 was declined");
  expect(run.rollbacks.map(({ stepName }) => stepName)).toEqual(["charge", "reserve lamp"]);
  expect(run.failure?.received.step?.name).toBe("charge");
  expect(run.failure?.answer).toMatchObject({ order: "7", released: ["1 lamp"] });
});

it("survives a crash of the endpoint after the charge", async () => {
  await using t = await testEngine({ workflows: { "/order": order } });
  const run = await t.trigger(order, lamp);
  run.fault("charge", "crash");
  expect(await run.result()).toMatchObject({ parcel: "parcel-7" });
  const charge = run.steps.find(({ name }) => name === "charge");
  expect(charge?.attempts).toHaveLength(2);
});

it("can be withdrawn while it waits for the van", async () => {
  await using t = await testEngine({ workflows: { "/order": order } });
  const run = await t.trigger(order, lamp);
  await run.until.waiting("wait for the van");
  await run.cancel();
  expect((await run.end()).workflowState).toBe("RUN_CANCELED");
});

it("takes its steps in this order", async () => {
  await using t = await testEngine({ workflows: { "/order": order } });
  const run = await t.trigger(order, lamp);
  run.mock("reserve lamp", { result: { sku: "lamp", left: 9 } });
  await run.result();
  expect(run.timeline()).toMatchInlineSnapshot(`
    "+0 s            reserve lamp (Run): {"sku":"lamp","left":9}
    +0 s            charge (Run): {"id":"payment-4242","amount":40}
    +0 s            wait for the van (SleepFor) begins
    +2 s            wait for the van (SleepFor): done
    +2 s            ship (Run): {"number":"parcel-7"}
    +2 s            send receipt (Run): {"sent":true}
    +2 s            RUN_SUCCESS: {"order":"7","paid":"payment-4242","parcel":"parcel-7"}"
  `);
});

it("ends the same whatever fails", async () => {
  await using t = await testEngine({ workflows: { "/order": order } });
  const setup = (run: TestRun) => run.mock("reserve lamp", { result: { sku: "lamp", left: 9 } });
  await t.chaos(order, lamp, { seeds: 10, setup });
});

it("continues the runs that are in flight", async () => {
  await using t = await testEngine({ workflows: { "/order": order } });
  const run = await t.trigger(order, lamp);
  await run.until.waiting("wait for the van");
  await assertReplays(order, await run.history());
});
