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

  const unknown = run(["export", "wfr_none", "--url", engine.url()]);
  expect(await unknown.exit()).toBe(1);
  expect(unknown.said()).toBe(`The engine at ${engine.url()} knows no run wfr_none.\n`);

  const stranger = run(["export", workflowRunId, "--url", engine.url(), "--token", "wrong"]);
  expect(await stranger.exit()).toBe(1);
  expect(stranger.said()).toMatch(/answers 401: .* Give its token with --token, or PERDURE_TOKEN\.\n$/);
});

it("says that another server answers", async () => {
  const app = createServer((_, response) => response.end("<title>My app</title>"));
  await once(app.listen(0, "127.0.0.1"), "listening");
  const { port } = app.address() as AddressInfo;
  const none = run(["export", "wfr_1", "--url", `http://127.0.0.1:${port}`]);
  expect(await none.exit()).toBe(1);
  app.close();
  expect(none.said()).toMatch(/^The server at http:\S+ is no Perdure engine: its answer isn't JSON\. .*\n$/);
});

it("says that no engine answers", async () => {
  const none = run(["export", "wfr_1", "--url", "http://127.0.0.1:9"]);
  expect(await none.exit()).toBe(1);
  expect(none.said()).toMatch(
    /^No engine answers at http:\/\/127\.0\.0\.1:9: .*\. Name one with --url, or PERDURE_URL\.\n$/,
  );
});
