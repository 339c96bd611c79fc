import { serve, type WorkflowContext } from "@perdure/core";

export interface Order {
  readonly id: string;
  readonly card: string;
  readonly amount: number;
}

export const order = serve(
  async (context: WorkflowContext<Order>) => {
    const { id, card, amount } = context.requestPayload;

    // The engine records a step's result, and a recorded step doesn't run again. When the process dies in the middle of the
    // work, the work is repeated: the key lets the bank charge once.
    const payment = await context.run(
      "charge",
      ({ idempotencyKey }) => charge(card, amount, idempotencyKey),
      // Undoes the step when the run fails.
      { rollback: ({ result }) => refund(result?.id) },
    );

    // No process is needed while the order waits.
    await context.sleep("wait for the van", "2s");

    const parcel = await context.run("ship", () => ship(id));
    return { order: id, payment: payment.id, parcel };
  },
  {
    // A step that fails has three more attempts, after 1, 2 and 4 seconds.
    retries: 3,
    retryDelay: "1000 * pow(2, retried)",

    // The engine calls it when a run has failed for good, after the rollbacks.
    failureFunction: ({ context, failResponse, step }) => {
      const reason = `${step?.name ?? "the workflow"} failed: ${failResponse}`;
      console.log(`Tell the customer of order ${context.requestPayload.id}: ${reason}`);
      return { told: reason };
    },
  },
);

// Replace these by requests to your bank and your warehouse.

async function charge(card: string, amount: number, idempotencyKey: string) {
  if (card === "declined") throw new Error("The card was declined");
  console.log(`Charge ${amount} (${idempotencyKey})`);
  return { id: `pay_${card.slice(-4)}` };
}

async function refund(payment: string | undefined) {
  console.log(`Refund ${payment ?? "whatever was charged"}`);
}

async function ship(id: string) {
  if (id === "lost") throw new Error("There is no such parcel");
  console.log(`Ship ${id}`);
  return `parcel_${id}`;
}
