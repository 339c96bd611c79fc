import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { memoryReplayGuard, type ReplayGuard, serve } from "@perdure/core";
import { EngineProcess, environment, Process, temporaryFolder } from "@perdure/test-support/process";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { Endpoint } from "./support/endpoint.ts";
import { ended, officialClient } from "./support/views.ts";

describe("a server that nobody has told who may call it", () => {
  // Beside the tests, so that it finds the packages.
  const folder = mkdtempSync(fileURLToPath(new URL("../.docs-", import.meta.url)));
  const file = join(folder, "unguarded.ts");
  let process: Process;
  let url: string;

  async function start(env: Record<string, string>): Promise<void> {
    process = Process.node(file, [], env);
    const [, port] = await process.line(/listening on (\d+)/);
    url = `http://127.0.0.1:${port}/order`;
  }

  beforeAll(() =>
    writeFileSync(
      file,
      `import { createServer } from "node:http";
import { serve } from "@perdure/adapters/node";

const failureFunction = () => console.log("the failure function has run");
const server = createServer(serve(() => console.log("the workflow has run"), { failureFunction }));
server.listen(0, () => console.log("listening on", server.address().port));
`,
    ),
  );
  afterEach(() => process.kill("SIGKILL"));
  afterAll(() => rmSync(folder, { recursive: true }));

  const requests: readonly Record<string, string>[] = [
    {},
    { "Upstash-Workflow-Sdk-Version": "1", "Upstash-Workflow-RunId": "wfr_1" },
    { "Upstash-Workflow-Is-Failure": "true", "Upstash-Workflow-RunId": "wfr_1" },
    { "Upstash-Workflow-CallType": "cancelCall", "Upstash-Workflow-RunId": "wfr_1" },
    { "Upstash-Workflow-Callback": "true", "Upstash-Workflow-RunId": "wfr_1" },
  ];

  it("refuses everybody, and says on its console exactly what to set", async () => {
    await start({});
    for (const headers of requests) {
      const answer = await fetch(url, { method: "POST", headers, body: '{"status":500}' });
      expect(answer.status).toBe(401);
      expect(await answer.json()).toEqual({
        error: "WorkflowError",
        message: "The endpoint refuses the request.",
      });
    }
    const told = process.lines.filter((line) => line.startsWith("[perdure]"));
    expect(told).toHaveLength(requests.length);
    for (const name of [
      "PERDURE_CURRENT_SIGNING_KEY",
      "PERDURE_NEXT_SIGNING_KEY",
      "authorize",
      'verify: "off"',
    ])
      expect(told[0]).toContain(name);
    expect(process.lines.join()).not.toContain("has run");
  });

  it("or told only half of it, says so", async () => {
    await start({ QSTASH_CURRENT_SIGNING_KEY: "sig_1" });
    const answer = await fetch(url, { method: "POST", body: "{}" });
    expect([answer.status, await answer.text()]).toEqual([500, expect.not.stringContaining("SIGNING")]);
    await process.line(/Only one of QSTASH_CURRENT_SIGNING_KEY and QSTASH_NEXT_SIGNING_KEY is set/);
  });
});

describe("a replay guard", () => {
  const database = temporaryFolder();
  let engine: EngineProcess;
  let app: Endpoint;
  beforeEach(async () => {
    engine = await EngineProcess.start(join(database.path, "guard.db"));
    app = await Endpoint.start();
  });
  afterEach(async () => {
    await engine.process.kill("SIGKILL");
    await app.stop();
  });
  afterAll(() => database.remove());

  it("lets every attempt of the engine in, and nothing a second time", async () => {
    const inner = memoryReplayGuard();
    const tokens: string[] = [];
    const replayGuard: ReplayGuard = {
      seen: (tokenId, expiresAt) => {
        tokens.push(tokenId);
        return inner.seen(tokenId, expiresAt);
      },
    };
    let attempts = 0;
    let undone = 0;
    const workflow = serve(
      async (context) => {
        await context.run("before", () => 1);
        await context.run("charge", () => {
          attempts++;
          throw new Error("declined");
        });
      },
      {
        env: environment(engine.url),
        replayGuard,
        failureFunction: () => {
          if (++undone === 1) throw new Error("not now");
        },
      },
    );
    const captured: { readonly body: string; readonly headers: Headers; readonly url: string }[] = [];
    const url = app.at("/wf", async (request) => {
      captured.push({ url: request.url, headers: request.headers, body: await request.clone().text() });
      return workflow.handler(request);
    });
    const options = { url, retries: 2, retryDelay: "1" };
    const { workflowRunId } = await officialClient(engine.url).trigger(options);
    await ended(engine.url, workflowRunId);
    await expect.poll(() => undone).toBe(2);
    expect(attempts).toBe(3);
    expect(new Set(tokens).size).toBe(tokens.length);

    for (const { url: at, headers, body } of [...captured]) {
      const again = await fetch(at, { method: "POST", body, headers: sendable(headers) });
      expect(again.status).toBe(401);
    }
    expect({ attempts, undone }).toEqual({ attempts: 3, undone: 2 });
  });
});

function sendable(headers: Headers): Headers {
  const ofConnection = /^(?:host|connection|content-length|transfer-encoding)$/;
  return new Headers([...headers].filter(([name]) => !ofConnection.test(name)));
}
