import { type Handler, serve, type WorkflowContext } from "@perdure/core";
import { newDatabase } from "@perdure/test-support/postgres-database";
import { expect, it, onTestFinished } from "vitest";
import { createEngine, type Engine, openPostgres } from "../../src/index.ts";

// A wait for a run, and a stream of its changes, may be at any engine: here at one that delivers nothing.

const CREDENTIALS = { token: "a-token", signingKeys: { current: "sig_a", next: "sig_b" } };
const URL = "https://app.test/run";

async function open(database: string, endpoint?: Handler): Promise<Engine> {
  const store = await openPostgres(database);
  const engine = createEngine({
    ...CREDENTIALS,
    store,
    ...(endpoint ? { endpoints: { "https://app.test": endpoint } } : {}),
  });
  onTestFinished(async () => {
    await engine.stop();
    await store.close();
  });
  return engine;
}

/** An engine that delivers to a workflow, and another one of the same database that doesn't. */
async function twoEngines(
  workflow: (context: WorkflowContext<unknown>) => Promise<unknown>,
): Promise<{ readonly asked: Engine }> {
  const database = newDatabase();
  let handler: Handler | undefined;
  const [asked, delivering] = await Promise.all([
    open(database),
    open(database, (request) => (handler as Handler)(request)),
  ]);
  ({ handler } = serve(workflow, {
    qstashClient: delivering.client(),
    keys: CREDENTIALS.signingKeys,
    retries: 0,
    failureFunction: () => "told",
    cancelFunction: () => {},
  }));
  delivering.start();
  return { asked };
}

const fail = (context: WorkflowContext<unknown>) =>
  context.run("step", () => {
    throw new Error("no");
  });

/** Milliseconds, many times what it takes. Without news of the other engine, a wait looks again after half a minute. */
const SOON = 10_000;

it.each([
  ["a run that fails", fail, {}, "RUN_FAILED"],
  ["a failure function", fail, { failureFunction: "wait" }, "RUN_FAILED"],
  [
    "a run that the workflow cancels",
    (context: WorkflowContext<unknown>) => context.cancel(),
    {},
    "RUN_CANCELED",
  ],
  ["a result", async () => "done", {}, "RUN_SUCCESS"],
] as const)("a wait ends soon after %s at another engine", async (_, workflow, options, state) => {
  const { asked } = await twoEngines(workflow);
  const { workflowRunId } = await asked.trigger({ url: URL });
  const began = performance.now();
  expect(await asked.runs.wait(workflowRunId, options)).toMatchObject({ workflowState: state });
  expect(performance.now() - began).toBeLessThan(SOON);
});

it("a stream tells of the failure of a run at another engine", async () => {
  const { asked } = await twoEngines(fail);
  const events = await asked.stream({ signal: AbortSignal.timeout(SOON) });
  const { workflowRunId } = await asked.trigger({ url: URL });
  const states: unknown[] = [];
  for await (const { event } of events) {
    if (event !== "run") continue;
    states.push((await asked.runs.get(workflowRunId)).workflowState);
    if (states.at(-1) === "RUN_FAILED") break;
  }
  expect(states.at(-1)).toBe("RUN_FAILED");
});
