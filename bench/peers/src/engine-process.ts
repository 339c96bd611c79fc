// An engine of Perdure behind the server of `perdure start`, on the PostgreSQL database that its argument names, else on a
// SQLite file. Tells its parent process its environment first, and then when as many runs as expected have ended.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createEngine, type EngineEvent, openPostgres } from "@perdure/engine";
import { listen } from "../../../packages/engine/src/cli/listen.ts";

const folder = mkdtempSync(join(tmpdir(), "perdure-bench-"));
const token = btoa(JSON.stringify({ UserID: "bench", Password: "bench-0123456789abcdef" }));
const signingKeys = { current: "current-0123456789abcdef", next: "next-0123456789abcdef" };
let missing = 0;
const [databaseUrl] = process.argv.slice(2);
const store = databaseUrl ? await openPostgres(databaseUrl) : join(folder, "engine.db");
const engine = createEngine({ store, token, signingKeys, onEvent });
const { port } = await listen((request, bindings) => engine.fetch(request, bindings), {
  host: "127.0.0.1",
  port: 0,
});
engine.start();
process.send?.({
  QSTASH_URL: `http://127.0.0.1:${port}`,
  QSTASH_TOKEN: token,
  QSTASH_CURRENT_SIGNING_KEY: signingKeys.current,
  QSTASH_NEXT_SIGNING_KEY: signingKeys.next,
});

function onEvent(event: EngineEvent): void {
  if (event.type === "fault") console.error(event.during, event.error);
  if (event.type === "failed") console.error("a run has failed:", event.error);
  if (event.type === "run.completed" && --missing === 0) process.send?.("ended");
}

process.on("message", async (message: { readonly expect?: number; readonly stop?: true }) => {
  if (message.expect !== undefined) {
    missing = message.expect;
    process.send?.("expecting");
  }
  if (!message.stop) return;
  await engine.stop();
  rmSync(folder, { recursive: true });
  process.exit(0);
});
