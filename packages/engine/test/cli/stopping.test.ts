import { DEV_CREDENTIALS, HEADER } from "@perdure/core/protocol";
import { expect, it } from "vitest";
import { createMetrics } from "../../src/cli/metrics.ts";
import { createOperations } from "../../src/cli/operations.ts";
import { world } from "../harness.ts";

/** The API of `perdure start`, which has been told to stop. */
async function stopping() {
  const w = world();
  await w.start("wfr_1", { [HEADER.delay]: "1d" });
  const operations = createOperations({
    api: w.engine.fetch,
    stores: [],
    metrics: createMetrics(),
    metricsToken: undefined,
  });
  operations.drain();
  return async (method: string, path: string, body?: string) => {
    const headers = { Authorization: `Bearer ${DEV_CREDENTIALS.token}` };
    const init = { method, headers, ...(body === undefined ? {} : { body }) };
    const { status } = await operations.fetch(new Request(`http://engine.test${path}`, init), {});
    return status;
  };
}

it.each<[string, string, string | undefined, number]>([
  ["POST", "/v2/batch", "[]", 200],
  ["POST", "/v2/workflows/append", '{"appends":[]}', 200],
  ["GET", "/v2/workflows/runs/wfr_1", undefined, 200],
  ["DELETE", "/v2/workflows/runs/wfr_1", undefined, 200],
  ["POST", "/v2/notify/event", undefined, 201],
])("an engine that stops takes what steps under way need: %s %s", async (method, path, body, status) => {
  expect(await (await stopping())(method, path, body)).toBe(status);
});

it.each([
  ["POST", "/v2/publish/https://a.test/"],
  ["GET", "/v2/workflows/runs/wfr_1/wait"],
  ["DELETE", "/v2/workflows/runs"],
  ["GET", "/v2/workflows/logs"],
])("an engine that stops refuses everything else: %s %s", async (method, path) => {
  expect(await (await stopping())(method, path)).toBe(503);
});
