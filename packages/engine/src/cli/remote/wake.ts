import type { RemoteEngine } from "./engine.ts";
import { printJson } from "./output.ts";
import { findRun } from "./run-id.ts";

/** The flags of `perdure wake`. */
export interface WakeFlags {
  readonly step?: string;
  readonly json?: boolean;
}

/** Runs `perdure wake <run>`: ends the run's sleep now. */
export async function wake(engine: RemoteEngine, id: string, { step, json }: WakeFlags): Promise<void> {
  const { workflowRunId } = await findRun(engine, id);
  const path = `workflows/runs/${encodeURIComponent(workflowRunId)}/wake`;
  const { woken } = await engine.request<{ woken: number }>("POST", path, {
    body: step === undefined ? {} : { stepName: step },
  });
  if (json) printJson({ workflowRunId, woken });
  else console.log(woken === 1 ? "1 sleep ended." : `${woken} sleeps ended.`);
}

/** Runs `perdure retry <run>`: begins the retries that the run waits for now. */
export async function retry(engine: RemoteEngine, id: string, { json }: WakeFlags): Promise<void> {
  const { workflowRunId } = await findRun(engine, id);
  const path = `workflows/runs/${encodeURIComponent(workflowRunId)}/retry`;
  const { retried } = await engine.request<{ retried: number }>("POST", path);
  if (json) printJson({ workflowRunId, retried });
  else console.log(retried === 1 ? "1 retry begun." : `${retried} retries begun.`);
}
