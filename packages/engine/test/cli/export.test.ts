import { once } from "node:events";
import { readFileSync, statSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { DEV_CREDENTIALS, HEADER } from "@perdure/core/protocol";
import { expect, it } from "vitest";
import { useDesk } from "./desk.ts";

const { folder, run, dev } = useDesk();

it("writes a run's history to a file, or prints it", async () => {
  const engine = dev(["--port", "0"]);
  await engine.saying("PERDURE_NEXT");
  const headers = { Authorization: `Bearer ${DEV_CREDENTIALS.token}`, [HEADER.delay]: "1h" };
  const trigger = `${engine.url()}/v2/trigger/http://localhost:9/wf`;
  const answer = await fetch(trigger, { method: "POST", headers, body: '{"id":7}' });
  const { workflowRunId } = (await answer.json()) as { workflowRunId: string };

  const written = run(["export", workflowRunId, "--url", `${engine.url()}/`, "--out", "run.json"]);
  expect(await written.exit()).toBe(0);
  expect(written.said()).toBe(`Wrote 1 entries of ${workflowRunId} to run.json.\n`);
  const path = join(folder(), "run.json");
  expect(JSON.parse(readFileSync(path, "utf8"))).toEqual({
    perdureHistory: 1,
    workflowRunId,
    workflowUrl: "http://localhost:9/wf",
    workflowRunCreatedAt: expect.any(Number),
    workflowState: "RUN_STARTED",
    history: [{ messageId: expect.any(String), callType: "step", body: btoa('{"id":7}') }],
  });
  expect(statSync(path).mode & 0o777).toBe(0o600);

  const printed = run(["export", workflowRunId, "--url", engine.url()]);
  expect(await printed.exit()).toBe(0);
  expect(JSON.parse(printed.said())).toEqual(JSON.parse(readFileSync(path, "utf8")));

  const beginning = run(["export", workflowRunId.slice(4, 12), "--url", engine.url()]);
  expect(await beginning.exit()).toBe(0);
  expect(beginning.said()).toBe(printed.said());

  const unknown = run(["export", "wfr_none", "--url", engine.url()]);
  expect(await unknown.exit()).toBe(4);
  expect(unknown.said()).toBe(
    `The engine at ${engine.url()} knows no run whose id begins with "wfr_none".\n`,
  );

  const elsewhere = run(["export", workflowRunId, "--url", engine.url(), "--out", "no/such/folder.json"]);
  expect(await elsewhere.exit()).toBe(1);
  expect(elsewhere.said()).toMatch(/^The file "no\/such\/folder\.json" can't be written: ENOENT.*\n$/);

  const stranger = run(["export", workflowRunId, "--url", engine.url(), "--token", "wrong"]);
  expect(await stranger.exit()).toBe(1);
  expect(stranger.said()).toMatch(/answers 401: .* Give its token with --token, or set PERDURE_TOKEN\.\n$/);
});

it.each<[string, number, string, RegExp]>([
  [
    "a page",
    200,
    "<title>My app</title>",
    /^The server at \S+ is no Perdure engine: .* isn't JSON\. .*--url/,
  ],
  [
    "no page",
    404,
    "<title>No page</title>",
    /^The server at \S+ is no Perdure engine: it answers 404 <title>/,
  ],
  [
    "the answer of a workflow's endpoint",
    405,
    '{"error":"WorkflowError","message":"only POST"}',
    /^The server at \S+ is no Perdure engine: it answers 405 \{.*Name the engine with --url/,
  ],
  [
    "a proxy's error",
    502,
    "<h1>Bad Gateway</h1>",
    /^No engine answers at \S+: a server before it answers 502 <h1>Bad Gateway<\/h1>\n$/,
  ],
])("says that another server answers: %s", async (_, status, body, said) => {
  const app = createServer((_, response) => response.writeHead(status).end(body));
  await once(app.listen(0, "127.0.0.1"), "listening");
  const { port } = app.address() as AddressInfo;
  for (const command of [["export", "wfr_1"], ["runs"]]) {
    const none = run([...command, "--url", `http://127.0.0.1:${port}`]);
    expect(await none.exit()).toBe(3);
    expect(none.said()).toMatch(said);
  }
  app.close();
});

it("says that no engine answers", async () => {
  const none = run(["export", "wfr_1", "--url", "http://127.0.0.1:9"]);
  expect(await none.exit()).toBe(3);
  expect(none.said()).toMatch(
    /^No engine answers at http:\/\/127\.0\.0\.1:9: .*, or name another with --url\.\n$/,
  );
});

it("asks perdure dev on the port of PERDURE_DEV_PORT", async () => {
  const engine = dev(["--port", "0"]);
  await engine.saying("PERDURE_NEXT");
  const { port } = new URL(engine.url());
  const runs = run(["runs", "--json"], { PERDURE_DEV_PORT: port });
  expect(await runs.exit()).toBe(0);
  expect(runs.said()).toBe("[]\n");
  const malformed = run(["runs"], { PERDURE_DEV_PORT: "http" });
  expect(await malformed.exit()).toBe(2);
  expect(malformed.said()).toBe('PERDURE_DEV_PORT must be a number from 0 to 65535; got "http".\n');
});
