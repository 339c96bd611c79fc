// An application on @upstash/workflow: what it does with a client.
import {
  Client,
  type DLQResumeRestartResponse,
  type NotifyResponse,
  type StepError,
  type StepLog,
  type TriggerOptions,
  type Waiter,
  WorkflowError,
  type WorkflowRunLog,
  type WorkflowRunLogs,
} from "@upstash/workflow";

const url = "https://app.example.com/order";
const settings = { baseUrl: "https://qstash.upstash.io", token: "token", enableTelemetry: false };
export const clients: Client[] = [new Client({}), new Client({ ...settings, retry: false, devMode: false })];

/** Starts runs, with every option. */
export async function start(client: Client): Promise<string[]> {
  const options: TriggerOptions = { url, label: ["a", "b"], redact: { body: true, header: ["X-Own"] } };
  const { workflowRunId } = await client.trigger({
    ...options,
    body: { id: "1" },
    headers: { "X-Own": "1" },
    workflowRunId: "own",
    retries: 1,
    retryDelay: "1000",
    flowControl: { key: "k", parallelism: 1, rate: 2, period: 3 },
    delay: "1h",
    notBefore: 1,
    disableTelemetry: true,
    failureUrl: url,
  });
  const several: { workflowRunId: string }[] = await client.trigger([options, { url, delay: 3 }]);
  return [workflowRunId, ...several.map((run) => run.workflowRunId)];
}

/** Ends runs, and tells them of events. */
export async function reach(client: Client): Promise<unknown[]> {
  await client.cancel("wfr_1");
  await client.cancel(["wfr_1"]);
  await client.cancel({ workflowRunIds: ["wfr_1"] });
  await client.cancel({ filter: { workflowUrl: url, label: "a" }, count: 3 });
  await client.cancel({
    filter: { workflowUrlStartingWith: url, fromDate: new Date(0), host: "h", path: ["p"] },
  });
  const { cancelled } = await client.cancel({ all: true });
  const told: NotifyResponse[] = await client.notify({ eventId: "e", eventData: 1, workflowRunId: "wfr_1" });
  const waiters: Waiter[] = await client.getWaiters({ eventId: "e" });
  return [cancelled.toFixed(), told[0]?.waiter.url, waiters[0]?.deadline.toFixed()];
}

/** Looks at runs. */
export async function look(client: Client): Promise<unknown[]> {
  await client.logs({ workflowUrl: url, state: "RUN_SUCCESS", label: "a", workflowCreatedAt: 1 });
  const page: WorkflowRunLogs = await client.logs({
    cursor: "c",
    count: 3,
    filter: {
      workflowUrl: [url],
      state: "RUN_FAILED",
      label: "a",
      fromDate: 1,
      toDate: new Date(0),
      host: "h",
    },
  });
  return page.runs.map(describe);
}

function describe({ steps, failureFunction, invoker, ...run }: WorkflowRunLog): unknown {
  const names = steps.flatMap((group) => {
    if (group.type === "sequential") return [group.steps[0].stepName];
    if (group.type === "parallel") return group.steps.map(describeStep);
    return group.steps.flatMap(({ errors = [] }) => errors.map(({ error, time }: StepError) => error + time));
  });
  const { state, failResponse, responseBody } = failureFunction ?? {};
  return [
    names,
    state,
    failResponse,
    responseBody,
    invoker?.workflowRunId,
    run.workflowRunResponse,
    run.labels,
  ];
}

function describeStep(step: StepLog): string {
  return [step.stepId, step.stepType, step.callUrl, step.waitEventId, step.invokedWorkflowRunId].join();
}

/** Looks after what failed. */
export async function mend(client: Client): Promise<unknown[]> {
  const { messages, cursor } = await client.dlq.list({
    count: 1,
    filter: { workflowUrl: url, url, responseStatus: 500, failureFunctionState: "CALLBACK_FAIL", label: "a" },
  });
  const resumed = await client.dlq.resume("dlq", { retries: 1, flowControl: { key: "k", rate: 1 } });
  const runs: DLQResumeRestartResponse[] = resumed.workflowRuns;
  await client.dlq.resume({ filter: { label: "a" }, count: 3, cursor: "c" });
  await client.dlq.restart(["dlq"]);
  await client.dlq.restart({ all: true });
  const { workflowRunId } = await client.dlq.retryFailureFunction({ dlqId: "dlq" });
  const { deleted } = await client.dlq.delete({ dlqIds: ["dlq"] });
  return [
    messages[0]?.failureCallbackInfo?.responseBody,
    cursor,
    runs[0]?.workflowRunId,
    workflowRunId,
    deleted,
  ];
}

/** What an error says. */
export function explain(error: unknown): string {
  return error instanceof WorkflowError ? error.message : String(error);
}
