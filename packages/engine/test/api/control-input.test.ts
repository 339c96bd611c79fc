import { HEADER } from "@perdure/core/protocol";
import { describe, expect, it } from "vitest";
import { ok, type World, world } from "../harness.ts";

const CRON = { [HEADER.cron]: "* * * * *" };
const LONG = "x".repeat(257);

type Row = readonly [
  method: string,
  path: string,
  ask: { readonly headers?: Record<string, string>; readonly body?: string | Uint8Array<ArrayBuffer> },
  status: number,
  named: string,
];

const queue = (body: unknown): Row[2] => ({ body: JSON.stringify(body) });
const headers = (more: Record<string, string>): Row[2] => ({ headers: { ...CRON, ...more } });
const SCHEDULE = "/v2/schedules/https://a.test";

const rows: readonly Row[] = [
  // Queues.
  ["POST", "/v2/queues", queue({ queueName: "q", parallelism: 1001 }), 412, "parallelism"],
  ["GET", "/v2/queues/none", {}, 404, "queue none not found"],
  ["POST", "/v2/queues/none/pause", {}, 404, "queue none not found"],
  ["POST", "/v2/queues/none/resume", {}, 404, "queue none not found"],
  ["PUT", "/v2/queues", {}, 405, "PUT"],
  ["POST", "/v2/enqueue/q", {}, 400, "expected /v2/enqueue/{queue}/{url}"],
  ["POST", "/v2/enqueue/q/", {}, 400, "endpoint has invalid scheme"],
  ["POST", "/v2/enqueue/q/a.test", {}, 400, "endpoint has invalid scheme"],
  ["POST", "/v2/enqueue//https://a.test", {}, 400, "queue"],
  ["POST", "/v2/enqueue/q/https://a.test", { headers: { [HEADER.retries]: "x" } }, 400, "Upstash-Retries"],
  [
    "POST",
    "/v2/enqueue/q/https://a.test",
    { headers: { [HEADER.init]: "true", [HEADER.runId]: "wfr_1" } },
    400,
    "Upstash-Queue-Name",
  ],
  [
    "POST",
    "/v2/publish/https://a.test",
    { headers: { [HEADER.queueName]: "a/b" } },
    400,
    "Upstash-Queue-Name",
  ],

  // Schedules.
  ["POST", SCHEDULE, {}, 400, "Upstash-Cron"],
  ["POST", SCHEDULE, headers({ [HEADER.cron]: "* * * *" }), 400, "Upstash-Cron"],
  ["POST", SCHEDULE, headers({ [HEADER.cron]: "* * * * * *" }), 400, "Upstash-Cron"],
  ["POST", SCHEDULE, headers({ [HEADER.cron]: "CRON_TZ=Nowhere/X * * * * *" }), 400, "Upstash-Cron"],
  ["POST", SCHEDULE, headers({ [HEADER.cron]: "" }), 400, "Upstash-Cron"],
  ["POST", SCHEDULE, headers({ [HEADER.scheduleId]: "a b" }), 400, "Upstash-Schedule-Id"],
  ["POST", SCHEDULE, headers({ [HEADER.scheduleId]: LONG }), 400, "Upstash-Schedule-Id"],
  ["POST", `${SCHEDULE}?upstash-schedule-id=`, headers({}), 400, "Upstash-Schedule-Id"],
  ["POST", SCHEDULE, headers({ [HEADER.notBefore]: "1893456000" }), 400, "Upstash-Not-Before"],
  ["POST", SCHEDULE, headers({ [HEADER.retries]: "1000" }), 412, "Upstash-Retries"],
  ["POST", SCHEDULE, headers({ [HEADER.flowControlKey]: "k" }), 400, "Upstash-Flow-Control-Key"],
  ["POST", SCHEDULE, headers({ [HEADER.init]: "true" }), 400, "Upstash-Workflow-Init"],
  ["POST", SCHEDULE, headers({ [HEADER.callType]: "toCallback" }), 400, "Upstash-Workflow-CallType"],
  ["POST", "/v2/schedules/a.test/x", headers({}), 400, "endpoint has invalid scheme"],
  ["POST", "/v2/schedules/", headers({}), 400, "endpoint has invalid scheme"],
  ["POST", "/v2/schedules/https://u:p@a.test", headers({}), 400, "credentials"],
  ["GET", "/v2/schedules/none", {}, 404, "schedule none not found"],
  ["PATCH", "/v2/schedules/none/pause", {}, 404, "schedule none not found"],
  ["POST", "/v2/schedules/none/resume", {}, 404, "schedule none not found"],
  ["PATCH", "/v2/schedules/none/stop", {}, 405, "PATCH"],
  ["PUT", "/v2/schedules/none", {}, 405, "PUT"],
  ["POST", "/v2/publish/https://a.test", { headers: { [HEADER.cron]: "x" } }, 400, "Upstash-Cron"],
  [
    "POST",
    "/v2/publish/https://a.test",
    { headers: { [HEADER.scheduleId]: "s" } },
    400,
    "Upstash-Schedule-Id",
  ],
  ["POST", "/v2/trigger/https://a.test", { headers: CRON }, 400, "Upstash-Cron"],
  ["POST", "/v2/trigger/https://a.test", { headers: { [HEADER.queueName]: "q" } }, 400, "Upstash-Queue-Name"],

  // Flow control.
  ["GET", "/v2/flowControl/none", {}, 404, "flow control key none not found"],
  ["POST", "/v2/flowControl/none/resume", {}, 404, "flow control key none not found"],
  ["POST", "/v2/flowControl/none/unpin", {}, 404, "flow control key none not found"],
  ["POST", "/v2/flowControl/none/resetRate", {}, 404, "flow control key none not found"],
  ["POST", "/v2/flowControl/none/reset", {}, 404, "flow control key none not found"],
  ["POST", "/v2/flowControl/k/stop", {}, 404, "stop"],
  ["POST", "/v2/flowControl/k/pin", {}, 400, "expected a parallelism, a rate or a period"],
  ["POST", "/v2/flowControl/k/pin?period=604801", {}, 400, "parameter period"],
  ["GET", "/v2/flowControl/k/pause", {}, 405, "GET"],
  ["POST", "/v2/globalParallelism", {}, 405, "POST"],
];

/** All that bad input could have left behind. */
const stored = async (w: World): Promise<unknown[]> => [
  (await w.ask("GET", "/v2/queues")).body,
  (await w.ask("GET", "/v2/schedules")).body,
  (await w.ask("GET", "/v2/flowControl")).body,
];

describe("bad input", () => {
  it.each(rows)("%s %s with %j is answered with %i", async (method, path, ask, status, named) => {
    const w = world(() => ok());
    const answer = await w.ask(method, path, ask);
    expect(answer).toMatchObject({ status, body: { error: expect.stringContaining(named) } });
    expect(await stored(w)).toEqual([[], [], []]);
    await w.engine.idle();
    expect(w.calls).toEqual([]);
    expect(w.events).toEqual([]);
  });

  it("in one item of a batch leaves the others alone", async () => {
    const w = world(() => ok());
    const { body } = await w.ask("POST", "/v2/batch", {
      body: JSON.stringify([
        { destination: "https://a.test/1", queue: 1 },
        { destination: "https://a.test/2", queue: "a b" },
        { destination: "https://a.test/3", headers: CRON },
        { destination: "https://a.test/4", queue: "q" },
      ]),
    });
    expect(body).toMatchObject([
      { error: "invalid queue: expected a string, got 1" },
      { error: expect.stringContaining("invalid queue:") },
      { error: expect.stringContaining("invalid Upstash-Cron:") },
      { url: "https://a.test/4" },
    ]);
    await w.engine.idle();
    expect(w.calls).toHaveLength(1);
  });
});
