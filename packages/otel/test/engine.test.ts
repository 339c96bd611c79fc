import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { json } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { serve } from "@perdure/adapters/node";
import { Client } from "@perdure/core";
import { INHERITED } from "@perdure/test-support/inherited";
import { programOf } from "@perdure/test-support/programs";
import { afterEach, beforeEach, expect, it } from "vitest";
import { runSpanContext } from "../src/run-span-context.ts";

const CLI = programOf(fileURLToPath(new URL("../../engine/src/cli.ts", import.meta.url)));
const SECRETS = {
  QSTASH_TOKEN: "token-0123456789abcdef",
  QSTASH_CURRENT_SIGNING_KEY: "sig_a0123456789abcdef",
  QSTASH_NEXT_SIGNING_KEY: "sig_b0123456789abcdef",
};

interface Exported {
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly status: { readonly message?: string };
}

const servers: Server[] = [];
let folder: string;
let engine: ChildProcess;
let spans: Exported[];

async function listen(server: Server): Promise<string> {
  servers.push(server.listen(0, "127.0.0.1"));
  await once(server, "listening");
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "perdure traces "));
  spans = [];
});
afterEach(() => {
  engine.kill("SIGKILL");
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
  rmSync(folder, { recursive: true });
});

/** Starts `perdure start`, and returns its URL. */
async function start(otlpEndpoint: string): Promise<string> {
  const flags = ["start", "--port", "0", "--allow-destination", "127.0.0.1", "--otlp-endpoint", otlpEndpoint];
  engine = spawn(process.execPath, [CLI, ...flags], { cwd: folder, env: { ...INHERITED, ...SECRETS } });
  let said = "";
  engine.stderr?.on("data", (part) => (said += part));
  engine.stdout?.on("data", (part) => (said += part));
  await expect.poll(() => said).toMatch(/"url":"([^"]+)"/);
  return /"url":"([^"]+)"/.exec(said)?.[1] ?? expect.unreachable();
}

/** Runs a workflow that sleeps and fails once. @returns its run's id */
async function run(baseUrl: string): Promise<string> {
  let attempts = 0;
  const workflow = serve(
    async (context) => {
      await context.sleep("nap", 1);
      await context.run("pay", () => {
        if (++attempts === 1) throw new Error("declined");
      });
    },
    {
      qstashClient: { baseUrl, token: SECRETS.QSTASH_TOKEN },
      keys: { current: SECRETS.QSTASH_CURRENT_SIGNING_KEY, next: SECRETS.QSTASH_NEXT_SIGNING_KEY },
      retryDelay: 0,
    },
  );
  const url = `${await listen(createServer(workflow))}/order`;
  const client = new Client({ baseUrl, token: SECRETS.QSTASH_TOKEN });
  const { workflowRunId, workflowState } = await client.trigger(
    { url, body: "4242" },
    { wait: { timeout: "40s" } },
  );
  expect(workflowState).toBe("RUN_SUCCESS");
  return workflowRunId;
}

async function stop(): Promise<number | null> {
  const exited = once(engine, "exit");
  engine.kill("SIGTERM");
  return (await exited)[0];
}

it("perdure start exports runs, attempts and waits as one trace, with ids that derive from the run's", async () => {
  const collector = createServer(async (request, response) => {
    expect(request.url).toBe("/v1/traces");
    const { resourceSpans } = (await json(request)) as {
      resourceSpans: { scopeSpans: { spans: Exported[] }[] }[];
    };
    spans.push(...resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap((scope) => scope.spans)));
    response.writeHead(200, { "Content-Type": "application/json" }).end("{}");
  });
  const runId = await run(await start(await listen(collector)));
  expect(await stop()).toBe(0);
  const { traceId, spanId } = await runSpanContext(runId);
  const [whole] = spans.filter(({ name }) => name === "run");
  expect(whole).toMatchObject({ traceId, spanId });
  const children = spans.filter((span) => span !== whole);
  for (const span of children) expect(span).toMatchObject({ traceId, parentSpanId: spanId });
  const attempts = children.filter(({ name }) => name === "deliver /order");
  expect(attempts.filter(({ status }) => status.message !== undefined)).toHaveLength(1);
  const nap = children.find(({ name }) => name === "SleepFor nap") ?? expect.unreachable();
  const seconds = Number(BigInt(nap.endTimeUnixNano) - BigInt(nap.startTimeUnixNano)) / 1e9;
  expect(seconds).toBeGreaterThan(0.9);
  expect(JSON.stringify(spans)).not.toContain("4242");
});

it("a collector that is away harms no run, and doesn't hold up the end", async () => {
  await run(await start("http://127.0.0.1:1"));
  expect(await stop()).toBe(0);
});

it("refuses an endpoint that is no URL", async () => {
  const flags = ["start", "--otlp-endpoint", "collector:4318"];
  engine = spawn(process.execPath, [CLI, ...flags], { cwd: folder, env: { ...INHERITED, ...SECRETS } });
  let said = "";
  engine.stderr?.on("data", (part) => (said += part));
  expect((await once(engine, "exit"))[0]).toBe(1);
  expect(said).toContain(
    'The OTLP endpoint must be a URL that begins with http:// or https://; got "collector:4318" from --otlp-endpoint.',
  );
});
