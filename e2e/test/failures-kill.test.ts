import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Client } from "@perdure/core";
import { DEV_CREDENTIALS } from "@perdure/core/protocol";
import { MODE } from "@perdure/test-support/mode";
import {
  EngineProcess,
  environment,
  Process,
  steadyPort,
  temporaryFolder,
} from "@perdure/test-support/process";
import { sampled } from "@perdure/test-support/sample";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ask, ended } from "./support/views.ts";

const { token } = DEV_CREDENTIALS;
const ENDPOINT = fileURLToPath(new URL("failures/endpoint.ts", import.meta.url));
const PAYLOAD = { n: 1 };

let folder: ReturnType<typeof temporaryFolder>;
let engine: EngineProcess;
let port: number;
let endpoint: Process;
beforeEach(async () => {
  folder = temporaryFolder();
  engine = await EngineProcess.start(join(folder.path, "engine.db"), await steadyPort());
  port = await steadyPort();
});
afterEach(async () => {
  await endpoint.kill("SIGKILL");
  await engine.process.kill("SIGKILL");
  folder.remove();
});

async function serve(env: Record<string, string>): Promise<void> {
  const { QSTASH_URL = "", QSTASH_TOKEN = "", ...keys } = environment(engine.url);
  const secret = env.OPEN ? {} : keys;
  endpoint = Process.node(ENDPOINT, [], {
    QSTASH_URL,
    QSTASH_TOKEN,
    ...secret,
    ...env,
    PORT: String(port),
    TEST_MODE: MODE,
  });
  await endpoint.line(/^listening$/);
}

const url = (path = "wf") => `http://127.0.0.1:${port}/${path}`;
const client = () => new Client({ baseUrl: engine.url, token });
const post = (headers: Record<string, string> = {}): RequestInit => ({
  method: "POST",
  headers: { "Content-Type": "application/json", ...headers },
  body: JSON.stringify(PAYLOAD),
});
/** The failure function has as much patience as the test. */
const own = { retries: 0, failureRetries: 50, failureRetryDelay: "100" };

/** The ways to start a run that don't wait for a clock. */
const starts: Readonly<Record<string, () => Promise<unknown>>> = {
  "client.trigger": () => client().trigger({ url: url(), body: PAYLOAD, ...own }),
  "a POST to the endpoint": () => fetch(url(), post()),
  "a published message": () => ask(engine.url, `/v2/publish/${url()}`, post()),
  "context.call of a workflow": () => client().trigger({ url: url("parent"), body: "call" }),
  "context.invoke": () => client().trigger({ url: url("parent"), body: "invoke" }),
  "POST /v2/trigger": () =>
    ask(
      engine.url,
      `/v2/trigger/${url()}`,
      post({
        "Upstash-Retries": "0",
        "Upstash-Failure-Callback-Retries": "50",
        "Upstash-Failure-Callback-Retry-Delay": "100",
      }),
    ),
};
/** Each of them starts a process or two. */
const STARTS = sampled(Object.keys(starts), 3);
const opened = (start: string): Record<string, string> =>
  start === "a POST to the endpoint" ? { OPEN: "1" } : {};

interface Told {
  readonly dlqId: string;
  readonly failureId: string;
}

/** What the failure function said, and whether run and dead letter say so too. */
async function heard(): Promise<Told> {
  const [, json = ""] = await endpoint.line(/^failed (.*)$/);
  const told = JSON.parse(json);
  expect(told).toMatchObject({
    payload: PAYLOAD,
    attempts: 1,
    steps: [{ id: 1, name: "before", type: "Run", result: "done" }],
  });
  expect(told.failureId).toBe(told.dlqId);
  const { runs } = await client().logs({ filter: { workflowUrl: url() } });
  expect(runs).toHaveLength(1);
  const run = await ended(engine.url, runs[0]?.workflowRunId ?? "");
  expect(run).toMatchObject({
    workflowState: "RUN_FAILED",
    dlqId: told.dlqId,
    failureFunction: { state: "CALLBACK_SUCCESS", responseBody: '{"result":"noted"}' },
  });
  expect((await client().dlq.list()).messages).toMatchObject([
    { dlqId: told.dlqId, failureCallbackInfo: { state: "CALLBACK_SUCCESS" } },
  ]);
  return told;
}

describe("an endpoint that is killed in the middle of a step", () => {
  it.each(STARTS)("hears of it once it is back; started by %s", async (start) => {
    await serve({ HANGS: "1", ...opened(start) });
    await starts[start]?.();
    await endpoint.line(/^charging$/);
    await endpoint.kill("SIGKILL");
    await serve(opened(start));
    const told = await heard();
    expect(told).toMatchObject({ failStatus: 0, failBody: "", failStack: "", where: "delivery" });
    expect(endpoint.lines).not.toContain("charging");
  });
});

describe("an engine that is killed between a failure and its report", () => {
  it.each(STARTS)("makes it once it is back; started by %s", async (start) => {
    await serve({ DEAF: "1", ...opened(start) });
    await starts[start]?.();
    // The failure is stored by now, and nobody has heard of it yet.
    await endpoint.line(/^told$/);
    await engine.process.kill("SIGKILL");
    engine = await EngineProcess.start(join(folder.path, "engine.db"), engine.port);
    const told = await heard();
    expect(told).toMatchObject({
      failStatus: 500,
      failResponse: "declined",
      failStack: expect.stringContaining("Error: declined"),
      where: "step",
      step: { id: 2, name: "charge", type: "Run" },
    });
  });
});
