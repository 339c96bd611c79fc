import { join } from "node:path";
import { Client } from "@perdure/core";
import { EngineProcess, environment, temporaryFolder } from "@perdure/test-support/process";
import { expect, it } from "vitest";
import type { Start } from "../src/pair.ts";

/** What the framework's page in docs/quickstarts says: its workflow, mounted at `path`, ends with its result. */
export function quickstart(page: string, start: Start, path = "/api/welcome"): void {
  it(`runs what docs/quickstarts/${page}.md mounts at ${path}`, async () => {
    const folder = temporaryFolder();
    const engine = await EngineProcess.start(join(folder.path, "quickstart.db"));
    // The credentials of `perdure dev` are public, which an endpoint refuses in production.
    const env: Record<string, string> = { ...environment(engine.url), NODE_ENV: "test" };
    const server = await start(env);
    try {
      const client = new Client({ baseUrl: engine.url, token: String(env.QSTASH_TOKEN) });
      const url = new URL(path, server.url).href;
      const { workflowRunId } = await client.trigger({ url, body: { name: "Ada" } });
      const run = await client.runs.wait(workflowRunId);
      expect(run, server.output?.()).toMatchObject({ workflowState: "RUN_SUCCESS", result: "mail to Ada" });
    } finally {
      await server.stop();
      await engine.process.kill("SIGTERM");
      folder.remove();
    }
  });
}
