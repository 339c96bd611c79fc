// Perdure in one process: the engine, on the PostgreSQL database that its argument names or on a SQLite file, and the endpoint.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { serve } from "@perdure/core";
import { createEngine, type EngineEvent, openPostgres } from "@perdure/engine";
import { contend } from "./contender.ts";

const folder = mkdtempSync(join(tmpdir(), "perdure-bench-"));
const token = btoa(JSON.stringify({ UserID: "bench", Password: "bench-0123456789abcdef" }));
const signingKeys = { current: "current-0123456789abcdef", next: "next-0123456789abcdef" };
const [databaseUrl] = process.argv.slice(2);
const store = databaseUrl ? await openPostgres(databaseUrl) : join(folder, "engine.db");
const origin = "http://in-process.test";
const engine = createEngine({
  store,
  token,
  signingKeys,
  endpoints: { [origin]: (request) => handler(request) },
  onEvent,
});
const { handler } = serve<number, number>(
  async (context) => {
    for (let step = 0; step < context.requestPayload; step++) await context.run(`step ${step}`, () => step);
    return context.requestPayload;
  },
  { qstashClient: engine.client(), keys: signingKeys },
);
engine.start();

let missing = 0;
let end = (): void => {};

function onEvent(event: EngineEvent): void {
  if (event.type === "fault") console.error(event.during, event.error);
  if (event.type === "failed") console.error("a run has failed:", event.error);
  if (event.type === "run.completed" && --missing === 0) end();
}

await contend(
  async (runs, steps) => {
    missing = runs;
    const ended = new Promise<void>((resolve) => (end = resolve));
    const url = `${origin}/workflow`;
    await Promise.all(Array.from({ length: runs }, () => engine.trigger({ url, body: steps })));
    await ended;
  },
  async () => {
    await engine.stop();
    if (typeof store !== "string") await store.close();
    rmSync(folder, { recursive: true });
  },
);
