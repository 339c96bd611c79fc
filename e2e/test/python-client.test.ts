import { join } from "node:path";
import { EngineProcess, temporaryFolder } from "@perdure/test-support/process";
import type { WorkflowRunLog } from "@upstash/workflow";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Endpoint } from "./support/endpoint.ts";
import { PythonEndpoint, type PythonStep, pythonReleases } from "./support/python-client.ts";
import { ask, ended, officialClient } from "./support/views.ts";

const folder = temporaryFolder();
let engine: EngineProcess;
let app: Endpoint;
beforeAll(async () => {
  engine = await EngineProcess.start(join(folder.path, "engine.db"));
  app = await Endpoint.start();
});
afterAll(async () => {
  await app.stop();
  await engine.process.kill("SIGTERM");
  folder.remove();
});

let serial = 0;

describe.each(pythonReleases)("a workflow in Python, by upstash_workflow $name", (release) => {
  const serve = (steps: readonly PythonStep[], retries?: number) => {
    const python = new PythonEndpoint(release, engine.url, steps, retries);
    return { url: app.at(`/python-${++serial}`, python.handler), python };
  };

  const runOf = async (url: string): Promise<WorkflowRunLog> => {
    for (;;) {
      const { runs } = await officialClient(engine.url).logs({ filter: { workflowUrl: url } });
      const [run] = runs;
      if (run) return ended(engine.url, run.workflowRunId);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };

  const everything = (third: string): readonly PythonStep[] => [
    { name: "object", run: () => ({ charged: [1, "é"] }) },
    { name: "number", run: () => 7 },
    { name: "none", run: () => null },
    { name: "nap", sleepFor: 1 },
    { name: "short nap", sleepFor: "1s" },
    { name: "past", sleepUntil: 1 },
    { name: "ask", call: third, method: "PATCH", body: { question: 1 } },
    { name: "after", run: () => "done" },
  ];

  it.each([
    ["a message of the engine", (url: string) => ask(engine.url, `/v2/publish/${url}`, payload)],
    ["a plain POST", (url: string) => fetch(url, payload)],
  ])("runs to its end, started by %s", async (_how, start) => {
    const heard: unknown[] = [];
    const third = app.at(`/third-${++serial}`, async (request) => {
      heard.push(request.method, request.headers.get("X-Own"), await request.json());
      return Response.json({ answer: "é" });
    });
    const { url, python } = serve(everything(third));
    await start(url);
    const run = await runOf(url);
    expect(run.workflowState).toBe("RUN_SUCCESS");
    expect(python.payload).toEqual({ order: 1 });
    expect(python.results).toEqual([
      { charged: [1, "é"] },
      7,
      null,
      null,
      null,
      null,
      expect.objectContaining({ status: 200, body: '{"answer":"é"}' }),
      "done",
    ]);
    expect(heard).toEqual(["PATCH", "own", { question: 1 }]);
    expect(run.steps.map(({ steps }) => steps[0]?.stepName)).toEqual([
      "init",
      ...everything(third).map(({ name }) => name),
    ]);
  });

  it("fails with its error on record, and has it reported where the release has failure functions", async () => {
    const charge = () => {
      throw new RangeError("declined");
    };
    const { url, python } = serve(
      [
        { name: "fine", run: () => 1 },
        { name: "charge", run: charge },
      ],
      0,
    );
    await ask(engine.url, `/v2/publish/${url}`, payload);
    expect((await runOf(url)).workflowState).toBe("RUN_FAILED");
    const body = { error: "ValueError", message: "RangeError: declined" };
    expect(python.failures).toEqual(
      release.reportsFailures ? [{ status: 500, body, payload: '{"order":1}' }] : [],
    );
    const { messages } = await officialClient(engine.url).dlq.list({ filter: { workflowUrl: url } });
    expect(messages).toMatchObject([{ responseStatus: 500, responseBody: JSON.stringify(body) }]);
  });

  it("is cancelled by the package's client", async () => {
    const { url, python } = serve([{ name: "nap", sleepFor: "1d" }]);
    await ask(engine.url, `/v2/publish/${url}`, payload);
    const client = officialClient(engine.url);
    for (;;) {
      const { runs } = await client.logs({ filter: { workflowUrl: url } });
      const [run] = runs;
      if (run && run.steps.length > 1) {
        await ask(engine.url, `/v2/workflows/runs/${run.workflowRunId}?cancel=true`, { method: "DELETE" });
        break;
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    expect((await runOf(url)).workflowState).toBe("RUN_CANCELED");
    expect(python.results).toEqual([]);
  });
});

const payload = { method: "POST", body: '{"order":1}', headers: { "Content-Type": "application/json" } };
