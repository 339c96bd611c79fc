import { serve, type WorkflowContext } from "@perdure/core";

export interface Signup {
  readonly email: string;
}

const MAILS = [
  { day: 1, wait: "1d" },
  { day: 3, wait: "2d" },
  { day: 7, wait: "4d" },
] as const;

export const onboarding = serve(
  async (context: WorkflowContext<Signup>) => {
    const { email } = context.requestPayload;

    await context.run("welcome", () => send(email, "Welcome"));

    for (const { day, wait } of MAILS) {
      // No process is needed while the run sleeps.
      await context.sleep(`until day ${day}`, wait);
      const active = await context.run(`active on day ${day}`, () => isActive(email));
      if (active) return { email, activeOn: day };
      await context.run(`mail of day ${day}`, () => send(email, `Tip of day ${day}`));
    }
    return { email, activeOn: null };
  },
  {
    // A step that fails has three more attempts, after 1, 2 and 4 seconds.
    retries: 3,
    retryDelay: "1000 * pow(2, retried)",

    // The engine calls it when a run has failed for good.
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
