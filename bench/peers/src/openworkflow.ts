// openworkflow on a SQLite file. Its argument is the worker's concurrency.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { OpenWorkflow } from "openworkflow";
import { BackendSqlite } from "openworkflow/sqlite";
import { contend } from "./contender.ts";

const [concurrency = "1"] = process.argv.slice(2);
const folder = mkdtempSync(join(tmpdir(), "openworkflow-bench-"));
const backend = BackendSqlite.connect(join(folder, "engine.db"));
const ow = new OpenWorkflow({ backend });
const workflow = ow.defineWorkflow({ name: "bench" }, async ({ input, step }) => {
  const steps = input as number;
  for (let at = 0; at < steps; at++) await step.run({ name: `step ${at}` }, () => at);
  return steps;
});
const worker = ow.newWorker({ concurrency: Number(concurrency) });
await worker.start();

await contend(
  async (runs, steps) => {
    const handles = await Promise.all(Array.from({ length: runs }, () => workflow.run(steps as never)));
    await Promise.all(handles.map((handle) => handle.result()));
  },
  async () => {
    await worker.stop();
    await backend.stop();
    rmSync(folder, { recursive: true, force: true });
  },
);
