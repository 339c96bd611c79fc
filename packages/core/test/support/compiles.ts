import type { Client, WorkflowContext } from "../../src/index.ts";

/** Code that is only there to be checked by the compiler: it isn't run. */
export function compiles(_code: (context: WorkflowContext, client: Client) => unknown): void {}
