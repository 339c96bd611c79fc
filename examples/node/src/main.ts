import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as rest } from "node:timers/promises";
import { Client, type DeadLetter, type RunLog } from "@perdure/core";
import { DEV_CREDENTIALS } from "@perdure/core/protocol";
import manifest from "@perdure/engine/package.json" with { type: "json" };
import type { Order } from "@perdure/example-shared/order";
import { badOrder, delivery, goodOrder } from "@perdure/example-shared/orders";
import color from "picocolors";
import { freePort, type Running, start } from "./processes.ts";
import { reason, Timeline } from "./timeline.ts";

// The main job: an engine and an app, two processes; an order that is fulfilled, and one that can't be: it is rolled back,
// and resumed after another deployment. With --once it ends by itself, and well only if all ended as it should.

const once = process.argv.includes("--once");
const stopping = new AbortController();
const running: Running[] = [];
const folder = mkdtempSync(join(tmpdir(), "perdure-example-"));
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => stopping.abort());

const { token, currentSigningKey, nextSigningKey, port } = DEV_CREDENTIALS;

try {
  const { engine, app } = await startBoth();
  const { url } = app;
  const client = new Client({ baseUrl: engine.url, token });

  title("An order that is fulfilled");
  const fulfilled = await perform(client, url, goodOrder);
  console.log(`\n${fulfilled.workflowRunId} returned ${fulfilled.workflowRunResponse}`);

  title("An order whose card is declined: two retries, the rollback, then the failure function");
  const failed = await perform(client, url, badOrder);
  const { messages } = await client.dlq.list({ filter: { workflowRunId: failed.workflowRunId } });
  showFailure(failed, messages[0]);

  title("Another deployment, whose bank takes the card: the failed run is resumed");
  await redeploy(engine.url, app);
  const resumed = await resume(client, failed.dlqId ?? "");
  console.log(`\n${resumed.workflowRunId} returned ${resumed.workflowRunResponse}`);

  process.exitCode = isRight(fulfilled, failed, messages) && isResumed(resumed) ? 0 : 1;
  if (!once) await stay(engine.url, url);
} catch (error) {
  if (!stopping.signal.aborted) {
    console.error(error);
    process.exitCode = 1;
  }
} finally {
  for (const one of running.reverse()) await one.stop();
  rmSync(folder, { recursive: true, force: true });
}

async function startBoth(): Promise<{ engine: Running; app: Running }> {
  const cli = new URL(manifest.bin.perdure, import.meta.resolve("@perdure/engine/package.json"));
  const args = [
    "dev",
    "--port",
    String(await freePort(port)),
    "--db",
    join(folder, "engine.db"),
    "--log-level",
    "error",
  ];
  const engine = await start(cli, args, {}, shown(color.cyan("engine")));
  watch(engine);
  return { engine, app: await deploy(engine.url, await freePort(3000)) };
}

async function deploy(engine: string, port: number, more: NodeJS.ProcessEnv = {}): Promise<Running> {
  const env = {
    PORT: String(port),
    PERDURE_URL: engine,
    PERDURE_TOKEN: token,
    PERDURE_CURRENT_SIGNING_KEY: currentSigningKey,
    PERDURE_NEXT_SIGNING_KEY: nextSigningKey,
    ...more,
  };
  const app = await start(new URL("app.ts", import.meta.url), [], env, shown(color.magenta("app   ")));
  watch(app);
  return app;
}

/** Puts another app in the place of this one. */
async function redeploy(engine: string, app: Running): Promise<void> {
  running.splice(running.indexOf(app), 1);
  await app.stop();
  await deploy(engine, Number(new URL(app.url).port), { BANK: "trusting" });
}

/** A process that ends by itself ends the others. */
function watch(one: Running): void {
  running.push(one);
  void one.ended.then(() => running.includes(one) && stopping.abort());
}

/** Starts a run and shows what becomes of it. */
async function perform(client: Client, app: string, order: Order): Promise<RunLog> {
  const { workflowRunId } = await client.trigger({
    url: `${app}/order`,
    body: order,
    workflowRunId: `order-${order.id}`,
    ...delivery,
  });
  return follow(client, workflowRunId);
}

async function resume(client: Client, dlqId: string): Promise<RunLog> {
  const { workflowRuns } = await client.dlq.resume(dlqId);
  const [run] = workflowRuns;
  if (!run) throw new Error(`${dlqId} can't be resumed`);
  return follow(client, run.workflowRunId);
}

/** Until it has ended, and its failure function with it. */
async function follow(client: Client, workflowRunId: string): Promise<RunLog> {
  const timeline = new Timeline((line) => console.log(line));
  for (;;) {
    stopping.signal.throwIfAborted();
    const run = await client.runs.get(workflowRunId);
    if (run) timeline.show(run);
    const reporting = run?.failureFunction?.state === "CALLBACK_INPROGRESS";
    if (run && run.workflowState !== "RUN_STARTED" && !reporting) return run;
    await rest(40, undefined, { signal: stopping.signal });
  }
}

function shown(name: string): (line: string) => void {
  // Where in the code an error happened is left out: the timeline shows what.
  return (line) => /^ +at /.test(line) || console.log(`${name} ${color.dim("│")} ${line}`);
}

function title(text: string): void {
  console.log(`\n${color.bold(text)}\n`);
}

function showFailure(run: RunLog, letter: DeadLetter | undefined): void {
  const told = run.failureFunction;
  console.log(`\nThe failure function of ${run.workflowRunId}`);
  console.log(
    `  received  status ${told?.failStatus}, "${reason(told?.failResponse) ?? told?.failResponse}"`,
  );
  console.log(`  returned  ${told?.responseBody}`);
  console.log("In the dead letter queue");
  console.log(
    `  ${letter?.dlqId}  status ${letter?.responseStatus}, "${reason(letter?.responseBody)}", ${letter?.failureCallbackInfo?.state}`,
  );
}

function isRight(fulfilled: RunLog, failed: RunLog, letters: readonly DeadLetter[]): boolean {
  return (
    fulfilled.workflowState === "RUN_SUCCESS" &&
    failed.workflowState === "RUN_FAILED" &&
    failed.failureFunction?.state === "CALLBACK_SUCCESS" &&
    failed.rollbacks?.every(({ state }) => state === "done") === true &&
    letters.length === 1 &&
    letters[0]?.dlqId === failed.dlqId
  );
}

function isResumed({ workflowState, steps }: RunLog): boolean {
  const done = steps.flatMap((group): readonly { stepName?: string }[] => group.steps);
  return workflowState === "RUN_SUCCESS" && done.some(({ stepName }) => stepName === "reserve desk");
}

async function stay(engine: string, app: string): Promise<void> {
  const authorization = `-H 'Authorization: Bearer ${token}'`;
  const body = JSON.stringify({ ...goodOrder, id: "1003" });
  title("Both stay up. Try next, and end with Ctrl-C:");
  console.log(
    `  another order   curl -X POST ${engine}/v2/trigger/${app}/order ${authorization} -d '${body}'`,
  );
  console.log(`  all runs        curl '${engine}/v2/workflows/logs' ${authorization}`);
  console.log(`  all failures    curl '${engine}/v2/dlq' ${authorization}`);
  console.log(`  in a browser    ${app}`);
  console.log("  the workflow    examples/shared/src/order.ts");
  await new Promise<void>((resolve) => stopping.signal.addEventListener("abort", () => resolve()));
}
