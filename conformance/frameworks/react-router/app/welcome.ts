import type { FailureFunctionParams, WorkflowContext } from "@perdure/core";

export async function welcome(context: WorkflowContext<{ name: string }>) {
  const { name } = context.requestPayload;
  const account = await context.run("create account", () => ({ id: 7, name }));
  await context.sleep("let it settle", 1);
  return context.run("send mail", () => `mail to ${account.name}`);
}

/** The engine calls it when a run has failed. */
export function giveUp({ failResponse }: FailureFunctionParams<{ name: string }>) {
  console.log(`gave up, because: ${failResponse}`);
}
