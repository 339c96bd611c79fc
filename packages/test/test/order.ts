import { createWorkflow, defineEvent, serve, type WorkflowContext } from "@perdure/core";
import { z } from "zod";

export interface Order {
  readonly id: string;
  readonly card: string;
}

export const approval = defineEvent("approval", z.object({ ok: z.boolean() }));

/** The side effects of the workflows. */
export const effects: string[] = [];

export const invoice = createWorkflow(async (context: WorkflowContext<{ amount: number }>) =>
  context.run("write", () => `invoice over ${context.requestPayload.amount}`),
);

export const order = serve(
  async (context: WorkflowContext<Order>) => {
    const { id, card } = context.requestPayload;
    const charge = await context.run(
      "charge",
      () => {
        effects.push(`charge ${card}`);
        return { id: `ch_${id}` };
      },
      { rollback: ({ result }) => void effects.push(`refund ${result?.id}`) },
    );
    await context.sleep("wait for the van", "2h");
    await context.run("ship", () => void effects.push(`ship ${id}`));
    return { charge: charge.id };
  },
  {
    failureFunction: ({ failResponse, step }) => ({ told: `${step?.name}: ${failResponse}` }),
  },
);
