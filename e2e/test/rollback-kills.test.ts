import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  Client,
  type RollbackParams,
  serve,
  type WorkflowFunction,
  WorkflowNonRetryableError,
} from "@perdure/core";
import { DEV_CREDENTIALS } from "@perdure/core/protocol";
import { MODE_OPTIONS } from "@perdure/test-support/mode";
import {
  EngineProcess,
  environment,
  Process,
  steadyPort,
  temporaryFolder,
} from "@perdure/test-support/process";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Endpoint } from "./support/endpoint.ts";
import { ended, officialClient } from "./support/views.ts";

let folder: ReturnType<typeof temporaryFolder>;
let engine: EngineProcess;
beforeEach(async () => {
  folder = temporaryFolder();
  engine = await EngineProcess.start(join(folder.path, "engine.db"), await steadyPort());
});
afterEach(async () => {
  await engine.process.kill("SIGKILL");
  folder.remove();
});

async function killAndRestart(): Promise<void> {
  const { port } = engine;
  await engine.process.kill("SIGKILL");
  engine = await EngineProcess.start(join(folder.path, "engine.db"), port);
}

describe("an engine that is killed", () => {
  let app: Endpoint;
  beforeEach(async () => {
    app = await Endpoint.start();
  });
  afterEach(() => app.stop());

  /** A run of three steps that fails. @returns what was called for it, in order */
  async function fail(
    rollback: (params: RollbackParams, calls: string[]) => unknown,
    beforeDelivery: (request: Request) => Promise<void> = async () => {},
  ): Promise<string[]> {
    const calls: string[] = [];
    const workflow: WorkflowFunction = async (context) => {
      for (const name of ["a", "b", "c"])
        await context.run(name, () => 1, {
          rollback: async (params) => {
            calls.push(`undo ${name}`);
            await rollback(params, calls);
          },
        });
      throw new WorkflowNonRetryableError("boom");
    };
    const failureFunction = (): void => void calls.push("failure function");
    const { handler } = serve(workflow, { env: environment(engine.url), ...MODE_OPTIONS, failureFunction });
    const url = app.at("/wf", async (request) => {
      await beforeDelivery(request);
      return handler(request);
    });
    const { workflowRunId } = await officialClient(engine.url).trigger({ url, retries: 3, retryDelay: "50" });
    expect(await ended(engine.url, workflowRunId)).toMatchObject({
      workflowState: "RUN_FAILED",
      failureFunction: { state: "CALLBACK_SUCCESS" },
      rollbacks: [
        { stepName: "c", state: "done" },
        { stepName: "b", state: "done" },
        { stepName: "a", state: "done" },
      ],
    });
    return calls;
  }

  it("between two rollbacks goes on with the next one, and makes none again", async () => {
    let deliveries = 0;
    const calls = await fail(
      () => {},
      async (request) => {
        // The first rollback is on record by the time the second is asked for.
        if (request.headers.has("Upstash-Workflow-Is-Failure") && ++deliveries === 2) await killAndRestart();
      },
    );
    expect(calls.filter((call) => call === "undo c")).toHaveLength(1);
    expect([...new Set(calls)]).toEqual(["undo c", "undo b", "undo a", "failure function"]);
  });

  it("between a rollback and its record has that one made again, and no other", async () => {
    const calls = await fail(async ({ step }, sofar) => {
      if (step.name === "b" && sofar.filter((call) => call === "undo b").length === 1) await killAndRestart();
    });
    expect(calls).toEqual(["undo c", "undo b", "undo b", "undo a", "failure function"]);
  });
});

describe("an endpoint that is killed", () => {
  const APP = fileURLToPath(new URL("support/dying-app.ts", import.meta.url));

  it.each<[string, string, string[]]>([
    ["in the middle of a rollback", "undo b", ["a", "b", "c", "undo c", "undo b", "undo b", "undo a"]],
    ["in the middle of a step", "b", ["a", "b", "b", "c", "undo c", "undo b", "undo a"]],
  ])("%s has that made again, and nothing else", async (_name, fatal, expected) => {
    const diary = join(folder.path, "diary");
    const port = await steadyPort();
    const args = [String(port), diary, fatal];
    const app = Process.node(APP, args, environment(engine.url));
    await app.line(/running at/);
    const url = `http://127.0.0.1:${port}/`;
    const { workflowRunId } = await officialClient(engine.url).trigger({
      url,
      retries: 300,
      retryDelay: "100",
    });
    await app.ended;
    const next = Process.node(APP, args, environment(engine.url));
    const run = await ended(engine.url, workflowRunId);
    await next.kill("SIGKILL");
    expect(run.failureFunction?.state).toBe("CALLBACK_SUCCESS");
    expect(readFileSync(diary, "utf8").trim().split("\n")).toEqual([...expected, "failure function after 3"]);
  });

  it("in the middle of a step, with no attempt left, has it rolled back", async () => {
    const diary = join(folder.path, "diary");
    const port = await steadyPort();
    const app = Process.node(APP, [String(port), diary, "b"], environment(engine.url));
    await app.line(/running at/);
    const client = new Client({ baseUrl: engine.url, token: DEV_CREDENTIALS.token });
    const { workflowRunId } = await client.trigger({
      url: `http://127.0.0.1:${port}/`,
      retries: 0,
      failureRetries: 300,
      failureRetryDelay: "100",
    });
    await app.ended;
    const next = Process.node(APP, [String(port), diary, "b"], environment(engine.url));
    await ended(engine.url, workflowRunId);
    await next.kill("SIGKILL");
    expect(readFileSync(diary, "utf8").trim().split("\n")).toEqual([
      ...["a", "b", "undo b", "undo a"],
      "failure function after 2",
    ]);
  });
});
