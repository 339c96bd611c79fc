import { DEV_CREDENTIALS } from "@perdure/core/protocol";
import { Client, type WorkflowRunLog } from "@upstash/workflow";

const { token } = DEV_CREDENTIALS;

export function officialClient(engineUrl: string): Client {
  return new Client({ baseUrl: engineUrl, token, retry: false });
}

/** Waits, by the official client, until a run has ended and its failure has been reported. */
export async function ended(engineUrl: string, workflowRunId: string): Promise<WorkflowRunLog> {
  const client = officialClient(engineUrl);
  for (;;) {
    // An engine that was just killed answers nothing; the test's own time-out ends a wait that is in vain.
    const logs = await client.logs({ filter: { workflowRunId } }).catch(() => undefined);
    const run = logs?.runs[0];
    const reporting = run?.failureFunction?.state === "CALLBACK_INPROGRESS";
    if (run && run.workflowState !== "RUN_STARTED" && !reporting) return run;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** A request to the engine with the token it wants. */
export async function ask<T>(engineUrl: string, path: string, init: RequestInit = {}): Promise<T> {
  const response = await fetch(engineUrl + path, {
    ...init,
    headers: { Authorization: `Bearer ${token}`, ...init.headers },
  });
  const body = await response.text();
  if (!response.ok) throw new Error(`${init.method ?? "GET"} ${path} answers ${response.status}: ${body}`);
  return (body ? JSON.parse(body) : undefined) as T;
}
