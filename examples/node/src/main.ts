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

// The main job: an engine and an app, two processes; an order that is fulfilled and one that can't be.
// With --once it ends by itself, and well only if both orders ended as they should.

const once = process.argv.includes("--once");
const stopping = new AbortController();
const running: Running[] = [];
const folder = mkdtempSync(join(tmpdir(), "perdure-example-"));
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => stopping.abort());

const { token, currentSigningKey, nextSigningKey, port } = DEV_CREDENTIALS;

try {
  const { engine, app } = await startBoth();
  const client = new Client({ baseUrl: engine, token });

  title("An order that is fulfilled");
  const fulfilled = await perform(client, app, goodOrder);
  console.log(`\n${fulfilled.workflowRunId} returned ${fulfilled.workflowRunResponse}`);

  title("An order whose card is always declined: two retries, then the failure function");
  const failed = await perform(client, app, badOrder);
  const { messages } = await client.dlq.list({ filter: { workflowRunId: failed.workflowRunId } });
  showFailure(failed, messages[0]);

  process.exitCode = isRight(fulfilled, failed, messages) ? 0 : 1;
  if (!once) await stay(engine, app);
} catch (error) {
  if (!stopping.signal.aborted) {
    console.error(error);
    process.exitCode = 1;
  }
} finally {
  for (const one of running.reverse()) await one.stop();
  rmSync(folder, { recursive: true, force: true });
}

async function startBoth(): Promise<{ engine: string; app: string }> {
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
  running.push(engine);
  const env = {
    PORT: String(await freePort(3000)),
    QSTASH_URL: engine.url,
    QSTASH_TOKEN: token,
    QSTASH_CURRENT_SIGNING_KEY: currentSigningKey,
    QSTASH_NEXT_SIGNING_KEY: nextSigningKey,
  };
  const app = await start(new URL("app.ts", import.meta.url), [], env, shown(color.magenta("app   ")));
  running.push(app);
  for (const one of running) void one.ended.then(() => stopping.abort());
  return { engine: engine.url, app: app.url };
}

/** Starts a run and shows what becomes of it, until it has ended and its failure function with it. */
async function perform(client: Client, app: string, order: Order): Promise<RunLog> {
  const { workflowRunId } = await client.trigger({
    url: `${app}/order`,
    body: order,
    workflowRunId: `order-${order.id}`,
    ...delivery,
  });
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
    letters.length === 1 &&
    letters[0]?.dlqId === failed.dlqId
  );
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
