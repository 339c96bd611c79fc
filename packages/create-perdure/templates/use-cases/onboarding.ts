import { serve, type WorkflowContext } from "@perdure/core";

export interface Signup {
  readonly email: string;
}

export const onboarding = serve(
  async (context: WorkflowContext<Signup>) => {
    const { email } = context.requestPayload;

    await context.run("welcome", () => send(email, "Welcome"));

    for (const day of [1, 3, 7]) {
      // The run holds no process and no connection while it sleeps.
      await context.sleep(`until day ${day}`, day === 1 ? "1d" : day === 3 ? "2d" : "4d");
      const active = await context.run(`active on day ${day}`, () => isActive(email));
      if (active) return { email, activeOn: day };
      await context.run(`mail of day ${day}`, () => send(email, `Tip of day ${day}`));
    }
    return { email, activeOn: null };
  },
  {
    // Called once when a run has failed for good.
    failureFunction: ({ context, failResponse, step }) => {
      const reason = `${step?.name ?? "the workflow"} failed: ${failResponse}`;
      console.log(`Look after ${context.requestPayload.email}: ${reason}`);
      return { told: reason };
    },
  },
);

// Replace these by your mail service and your database.

async function send(email: string, subject: string) {
  if (!email.includes("@")) throw new Error(`"${email}" is no address`);
  console.log(`Mail to ${email}: ${subject}`);
}

async function isActive(email: string) {
  return email.startsWith("active");
}
