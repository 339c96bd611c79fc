// Perdure: an engine in a process of its own, all settings as they come, on a SQLite file that is flushed at each commit, or on
// the PostgreSQL database that its argument names.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { serve } from "@perdure/adapters/node";
import { contend } from "./contender.ts";
import { startEngine } from "./perdure-engine.ts";

const engine = await startEngine(process.argv[2]);
const workflow = serve<number, number>(
  async (context) => {
    for (let step = 0; step < context.requestPayload; step++) await context.run(`step ${step}`, () => step);
    return context.requestPayload;
  },
  { env: engine.env },
);
const server = createServer(workflow).listen(0, "127.0.0.1");
await new Promise((resolve) => server.once("listening", resolve));
const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/workflow`;

await contend(
  (runs, steps) => engine.runAll(url, runs, steps),
  async () => {
    server.closeAllConnections();
    server.close();
    await engine.stop();
  },
);
