import type { FailureFunctionParams, WorkflowContext } from "@perdure/core";
import { APP, type Served, served, type World } from "./world.ts";

export interface Order {
  readonly id: string;
  readonly card: string;
  readonly items: readonly string[];
}

export const ORDER_URL = `${APP}/order`;

/** Makes the error of a charge where it is thrown, so that its stack has few lines. */
const declined = (): Error =>
  new Error("card 4242 … 0000 was declined", { cause: new Error("issuer answered 51: insufficient funds") });

/** What the shop's endpoint says unless a test says otherwise. */
export const ORDER_OPTIONS = {
  retries: 3,
  retryDelay: "1000 * pow(2, retried)",
  failureFunction: ({ failResponse }: FailureFunctionParams<never>): object => ({
    mailed: true,
    text: `Your order can't be fulfilled: ${failResponse}`,
  }),
};

/** Fulfils an order: two parallel steps with rollbacks, and a charge that fails for some cards. */
export async function fulfil(context: WorkflowContext<never>): Promise<object> {
  const order = context.requestPayload as Order;
  await Promise.all(
    order.items.map((sku) =>
      context.run(`reserve ${sku}`, () => ({ sku, shelf: "B7", left: 41 }), { rollback: () => {} }),
    ),
  );
  const quote = await context.run("quote shipping", () => ({ carrier: "DHL", price: 4.9 }));
  const payment = await context.run("charge", () => {
    if (order.card.endsWith("0000")) throw declined();
    return { id: "pay_81", amount: 61.7 + quote.price };
  });
  return { order: order.id, payment: payment.id };
}

export const ORDER: Served = served("/order", fulfil, ORDER_OPTIONS);

export const GOOD_ORDER: Order = { id: "A-1041", card: "4242424242424242", items: ["book", "lamp"] };
export const BAD_ORDER: Order = { id: "A-1042", card: "4242424242420000", items: ["book", "lamp"] };

/** Starts a run. @returns its id */
export async function trigger(world: World, url: string, payload: unknown, headers = {}): Promise<string> {
  const target = `/v2/trigger/${url}`;
  const { workflowRunId } = await world.ask<{ workflowRunId: string }>("POST", target, payload, headers);
  return workflowRunId;
}

/** Waits for an event. */
export const APPROVAL: Served = served("/approval", async (context: WorkflowContext<never>) => {
  const { eventData } = await context.waitForEvent("wait for approval", "approval", { timeout: "2d" });
  return { approved: eventData };
});

/** Sleeps for an hour. */
export const SLEEPER: Served = served("/sleeper", async (context: WorkflowContext<never>) => {
  await context.run("prepare", () => "ready");
  await context.sleep("cool down", 3600);
  return "rested";
});
