import { serve, type WorkflowContext } from "@perdure/core";

export interface Expense {
  readonly id: string;
  readonly employee: string;
  readonly amount: number;
}

export const approval = serve(
  async (context: WorkflowContext<Expense>) => {
    const { id, employee, amount } = context.requestPayload;

    await context.run("ask the manager", () => ask(id, employee, amount));

    // Waits for `perdure notify approval-7 --data '{"ok":true}'`, for three days at most.
    const { eventData, timeout } = await context.waitForEvent<{ ok: boolean }>(
      "wait for the manager",
      `approval-${id}`,
      { timeout: "3d" },
    );

    const approved = !timeout && eventData.ok;
    await context.run("tell the employee", () => tell(employee, id, approved));
    return { expense: id, approved };
  },
  {
    // A step that fails has three more attempts, after 1, 2 and 4 seconds.
    retries: 3,
    retryDelay: "1000 * pow(2, retried)",

    // The engine calls it when a run has failed for good.
    failureFunction: ({ context, failResponse, step }) => {
      const reason = `${step?.name ?? "the workflow"} failed: ${failResponse}`;
      console.log(`Tell the office about expense ${context.requestPayload.id}: ${reason}`);
      return { told: reason };
    },
  },
);

// Replace these by your mail or chat.

async function ask(id: string, employee: string, amount: number) {
  if (amount <= 0) throw new Error("There is nothing to approve");
  console.log(`${employee} asks for ${amount}: npx perdure notify approval-${id} --data '{"ok":true}'`);
}

async function tell(employee: string, id: string, approved: boolean) {
  console.log(`Tell ${employee}: expense ${id} is ${approved ? "approved" : "declined"}`);
}
