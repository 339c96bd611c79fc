import { join } from "node:path";
import { brotliCompressSync, deflateSync, gzipSync } from "node:zlib";
import { EngineProcess, temporaryFolder } from "@perdure/test-support/process";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Endpoint } from "./support/endpoint.ts";
import { sdks } from "./support/sdks.ts";
import { ended, officialClient } from "./support/views.ts";

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
const compressed = (encoding: string, body: Uint8Array<ArrayBuffer>, status = 200): Response =>
  new Response(body, {
    status,
    headers: { "Content-Type": "application/json", "Content-Encoding": encoding },
  });

describe.each(sdks)("a workflow served by $name", (sdk) => {
  it.each([
    ["gzip", gzipSync],
    ["br", brotliCompressSync],
    ["deflate", deflateSync],
  ] as const)("reads an answer to a call that is compressed by %s", async (encoding, compress) => {
    const third = app.at(`/third-${++serial}`, () => compressed(encoding, compress('{"items":[1,2]}')));
    const handler = sdk.serve(
      engine.url,
      async (context) => (await context.call("ask", { url: third })).body,
    );
    const url = app.at(`/wf-${serial}`, handler);
    const { workflowRunId } = await officialClient(engine.url).trigger({ url });
    expect((await ended(engine.url, workflowRunId)).workflowRunResponse).toBe('{"items":[1,2]}');
  });

  it("is told an error that a proxy has compressed on its way", async () => {
    const failures: string[] = [];
    const workflow = sdk.serve(
      engine.url,
      (context) => context.run("charge", () => Promise.reject(new Error("declined"))),
      ({ failResponse }) => void failures.push(failResponse),
    );
    const url = app.at(`/wf-${++serial}`, async (request) => {
      const { status, headers, ...answer } = await workflow(request).then(async (response) => ({
        status: response.status,
        headers: new Headers(response.headers),
        body: await response.text(),
      }));
      if (status < 400) return new Response(answer.body, { status, headers });
      headers.set("Content-Encoding", "gzip");
      headers.delete("Content-Length");
      return new Response(gzipSync(answer.body), { status, headers });
    });
    const { workflowRunId } = await officialClient(engine.url).trigger({ url, retries: 0 });
    expect((await ended(engine.url, workflowRunId)).workflowState).toBe("RUN_FAILED");
    expect(failures).toEqual(["declined"]);
  });
});
