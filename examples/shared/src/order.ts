import type {
  FailureFunction,
  FailureFunctionParams,
  WorkflowContext,
  WorkflowFunction,
} from "@perdure/core";
import { z } from "zod";
import type { Shop } from "./shop.ts";

/** The payload of a run. A payload that doesn't fit fails the run, and its failure function is called. */
export const orderSchema = z.object({
  id: z.string(),
  card: z.string(),
  items: z
    .array(z.object({ sku: z.string(), quantity: z.number().int().positive(), price: z.number() }))
    .min(1),
});

export type Order = z.infer<typeof orderSchema>;

/** The result of the run of a fulfilled order. */
export interface Fulfilled {
  readonly order: string;
  readonly paid: string;
  readonly parcel: string;
}

/** Fulfils an order. Each step is recorded under its name: whatever dies, no recorded step is done twice. */
export function fulfil({ warehouse, bank, post }: Shop): WorkflowFunction<Order, Fulfilled> {
  return async (context: WorkflowContext<Order>) => {
    const order = context.requestPayload;

    // In parallel: the engine delivers each of them by itself.
    await Promise.all(
      order.items.map(({ sku, quantity }) =>
        context.run(`reserve ${sku}`, () => warehouse.reserve(order.id, sku, quantity), {
          // Undone by itself when the run has failed, and done anew when it is resumed.
          rollback: () => warehouse.release(order.id, sku),
        }),
      ),
    );

    const total = order.items.reduce((sum, { price, quantity }) => sum + price * quantity, 0);
    const payment = await context.run("charge", () => bank.charge(order.card, total), {
      rollback: ({ result }) => result && bank.refund(result.id),
    });

    // Nothing runs, and nothing is held, while the order waits for the van.
    await context.sleep("wait for the van", 2);

    const receipt = `Receipt ${payment.id}: ${total.toFixed(2)} EUR`;
    const [parcel] = await Promise.all([
      context.run("ship", () => warehouse.ship(order.id)),
      context.run("send receipt", () => post.send(order.id, receipt)),
    ]);
    return { order: order.id, paid: payment.id, parcel: parcel.number };
  };
}

/** Called once a run has failed for good and was rolled back: tells the customer why, and writes down what was undone. */
export function undo({ post, records }: Shop): FailureFunction<Order> {
  return async ({ context, failStatus, failResponse, rollbacks }: FailureFunctionParams<Order>) => {
    const { id, items = [] } = context.requestPayload;
    const undoneSteps = rollbacks.filter(({ state }) => state === "done").map(({ step }) => step.name);
    const released = items
      .filter(({ sku }) => undoneSteps.includes(`reserve ${sku}`))
      .map(({ sku, quantity }) => `${quantity} ${sku}`);
    await post.send(id, `Your order can't be fulfilled: ${failResponse}`);
    const undone = {
      order: id,
      released,
      reason: failResponse,
      status: failStatus,
      run: context.workflowRunId,
    };
    await records.write(undone);
    return undone;
  };
}
