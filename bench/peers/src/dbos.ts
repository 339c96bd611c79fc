// DBOS on the PostgreSQL database that its argument names. Workflows run in the process that starts them.
import { DBOS } from "@dbos-inc/dbos-sdk";
import { contend } from "./contender.ts";

const [databaseUrl = ""] = process.argv.slice(2);
const workflow = DBOS.registerWorkflow(
  async (steps: number) => {
    for (let at = 0; at < steps; at++) await DBOS.runStep(async () => at, { name: `step ${at}` });
    return steps;
  },
  { name: "bench" },
);
DBOS.setConfig({
  name: "bench",
  systemDatabaseUrl: databaseUrl,
  logLevel: "error",
  runAdminServer: false,
});
await DBOS.launch();

await contend(
  async (runs, steps) => {
    const start = DBOS.startWorkflow(workflow);
    const handles = await Promise.all(Array.from({ length: runs }, () => start(steps)));
    await Promise.all(handles.map((handle) => handle.getResult()));
  },
  () => DBOS.shutdown(),
);
