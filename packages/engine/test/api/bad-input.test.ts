import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { HEADER } from "@perdure/core/protocol";
import { ON_POSTGRES } from "@perdure/test-support/mode";
import { sampled } from "@perdure/test-support/sample";
import { afterAll, describe, expect, it } from "vitest";
import { describedApi, type Item, itemsOf } from "../described.ts";
import {
  type Answer,
  APP,
  failed,
  isFailure,
  OWN_TOKEN,
  ofRun,
  runIdOf,
  type World,
  world,
} from "../harness.ts";
import { app, createHook, waitStep, workflow } from "../steps.ts";
import { copyTestStore, rowsOf } from "../stores.ts";
import { type Bad, badInput, type Good, TOO_LARGE, toRequest } from "./bad-input.ts";

const URL_GOOD = "https://a.test/good";
const URL_BAD = "https://a.test/bad";
const HOOK = "hook";
const STEP = { stepId: 9, stepName: "s", stepType: "Wait", concurrent: 1 };

/** Bodies that are in order, with everything in them that there can be. An operation that takes JSON has one here. */
const BODIES: Readonly<Record<string, unknown>> = {
  "POST /v2/batch": [{ destination: URL_GOOD, headers: { "Upstash-Retries": "1" }, body: "x", queue: "q" }],
  "POST /v2/batch/trigger": [
    { destination: URL_GOOD, headers: { "Upstash-Retries": "1" }, body: "x", queue: null },
  ],
  "DELETE /v2/messages": { messageIds: ["msg_1"] },
  "PATCH /v2/topics/{name}": { headers: { "X-A": ["1"] } },
  "POST /v2/topics/{name}/endpoints": { endpoints: [{ url: "https://b.test", name: "n" }] },
  "DELETE /v2/topics/{name}/endpoints": { endpoints: [{ url: URL_GOOD, name: null }] },
  "POST /v2/wait/{eventId}": {
    url: APP,
    step: STEP,
    timeout: "1h",
    timeoutUrl: APP,
    timeoutBody: 1,
    timeoutHeaders: { "X-A": ["1"] },
  },
  "POST /v2/workflows/append": {
    appends: [
      {
        lease: "1.1.wfr_1",
        invocation: "i",
        after: 1,
        records: [{ kind: "result", record: { stepId: 1, stepName: "s", stepType: "Run", concurrent: 1 } }],
        underWay: [{ name: "s", type: "Run", nth: 1 }],
        capabilities: "1, on-cancel",
      },
    ],
  },
  "DELETE /v2/workflows/runs": { workflowRunIds: ["wfr_1"], workflowUrl: APP },
  "POST /v2/workflows/dlq/resume/{id}": { payload: "x", results: [{ stepId: 1, result: 1 }] },
  "POST /v2/workflows/dlq/restart/{id}": { payload: "x" },
  "POST /v2/workflows/runs/{id}/wake": { stepName: "s" },
  "DELETE /v2/dlq": { dlqIds: ["1-1"] },
  "DELETE /v2/workflows/dlq": { dlqIds: ["1-1"] },
  "POST /v2/queues": { queueName: "q", parallelism: 2, paused: true },
};

/** Headers without which an operation can't be asked for. */
const HEADERS: Readonly<Record<string, Record<string, string>>> = {
  "POST /v2/schedules/{schedule}": { [HEADER.cron]: "* * * * *" },
  "POST /v2/wait/{eventId}": ofRun("wfr_1", "false"),
};

/** What an operation must be asked for. */
const QUERIES: Readonly<Record<string, string>> = {
  "GET /v2/workflows/stream": "?timeout=0s",
  "POST /v2/workflows/bulk/cancel": "?all=true",
  "POST /v2/workflows/bulk/resume": "?all=true",
  "POST /v2/workflows/bulk/restart": "?all=true",
  "POST /v2/flowControl/{key}/pin": "?parallelism=1",
  "GET /v2/workflows/runs/{id}/wait": "?timeout=0s",
};

/** Operations that a good request alone brings nowhere: what they are about is in another state. */
const IN_VAIN = [
  "/v2/workflows/dlq/resume/{id}",
  "/v2/workflows/runs/{id}/wake",
  "/v2/workflows/runs/{id}/retry",
  "/v2/workflows/append",
  "/v2/workflows/dlq/rollback/{id}",
  "/v2/workflows/dlq/callback/{id}",
  ...(ON_POSTGRES ? ["/v2/backup"] : []),
];

const folder = mkdtempSync(join(tmpdir(), "perdure-bad-input-"));
afterAll(() => rmSync(folder, { recursive: true }));

const LIMITS = { requestBytes: TOO_LARGE, messageBytes: 9000 };

/** A database with something of everything, and what its ids are. */
async function fill(file: string) {
  const run = app({ [APP]: workflow(createHook, waitStep("event"), waitStep("never")) });
  const w = world(
    (call, self) =>
      call.url === URL_BAD || runIdOf(call) === "wfr_2"
        ? failed(500, isFailure(call) ? "no" : "boom")
        : run(call, self),
    { file },
  );
  await w.ask("POST", `/v2/publish/${URL_BAD}`, { headers: { [HEADER.retries]: "0" } });
  await w.start("wfr_1");
  await w.start("wfr_2", { [HEADER.retries]: "0" });
  await w.engine.idle();
  const flow = { [HEADER.flowControlKey]: "k", [HEADER.flowControlValue]: "rate=1" };
  const headers = { [HEADER.delay]: "1h", [HEADER.queueName]: "q", ...flow };
  const { messageId } = (await w.ask("POST", `/v2/publish/${URL_GOOD}`, { headers })).body;
  await w.ask("POST", "/v2/topics/t/endpoints", {
    body: JSON.stringify({ endpoints: [{ url: URL_GOOD }, { url: APP }] }),
  });
  const schedule = { [HEADER.cron]: "* * * * *", [HEADER.scheduleId]: "s" };
  await w.ask("POST", `/v2/schedules/${URL_GOOD}`, { headers: schedule });
  const letter = (await w.deadLetters()).find(({ workflowRunId }) => workflowRunId === undefined);
  const [ofTheRun] = await w.deadLetters("?source=workflow");
  await w.engine.stop();
  await w.store.close();
  return { message: messageId, letter: letter.dlqId, ofRun: ofTheRun.dlqId };
}

type Ids = Awaited<ReturnType<typeof fill>>;

function goodRequest(name: string, item: Item, ids: Ids): Good {
  const [, path = ""] = name.split(" ");
  const body = BODIES[name];
  if (item.requestBody?.content["application/json"] && body === undefined) {
    throw new TypeError(`There is no good body for ${name}.`);
  }
  const id = path.startsWith("/v2/messages/")
    ? ids.message
    : path.includes("/runs/")
      ? "wfr_1"
      : path.includes("/workflows/dlq/")
        ? ids.ofRun
        : ids.letter;
  const named = { id, queue: "q", name: "t", schedule: "s", key: "k", runId: "wfr_1", userId: "u" };
  const eventId = path.includes("/hooks/") ? HOOK : "event";
  const urls = item.parameters.filter(({ in: place, schema }) => place === "path" && schema.format);
  const params = { ...named, eventId, ...Object.fromEntries(urls.map((one) => [one.name, URL_GOOD])) };
  return { params, headers: HEADERS[name] ?? {}, ...(body === undefined ? {} : { body }) };
}

/** A batch answers for each of its items. */
function refusalOf({ status, body }: Answer): { status: number; error: string } {
  if (status >= 300) return { status, error: body.error };
  const items: Answer["body"][] = Array.isArray(body) ? body : (body?.appends ?? []);
  const faulty = items.find((one) => one.error);
  const error = faulty?.message ?? faulty?.error;
  return { status: error ? 400 : status, error };
}

const plain = (text: string): string => text.toLowerCase().replace(/[^a-z0-9|]/g, "");

async function refused(w: World, method: string, { what, path, ask, names }: Bad): Promise<string[]> {
  const { status, error } = refusalOf(await w.ask(method, path, ask));
  const named = new RegExp(plain(names)).test(plain(error ?? ""));
  return status >= 400 && status < 500 && named
    ? []
    : [`${what.slice(0, 80)}: ${status} ${error?.slice(0, 200)}`];
}

const full = join(folder, "full.db");
const [api, ids] = await Promise.all([describedApi(), fill(full)]);

describe("bad input is refused by its name, and nothing is stored", () => {
  // What is refused doesn't depend on the store, only that nothing is stored then.
  const items = ON_POSTGRES ? sampled(itemsOf(api), 3) : itemsOf(api);
  it.each(items)("%s", async (name, item) => {
    const file = join(folder, `${name.replace(/\W/g, "-")}.db`);
    copyTestStore(full, file);
    const w = world(() => failed(500, "boom"), { file, limits: LIMITS });
    await w.engine.idle();
    const [method = "", path = ""] = name.split(" ");
    const good = goodRequest(name, item, ids);
    const before = await rowsOf(file);
    const events = w.events.length;
    const wrong: string[] = [];
    for (const bad of badInput([method, path], item, good, api))
      wrong.push(...(await refused(w, method, bad)));
    await w.engine.idle();
    expect(wrong).toEqual([]);
    expect(await rowsOf(file)).toEqual(before);
    expect(w.events.slice(events)).toEqual([]);
    // It was for nothing else that these were refused.
    const { path: at, ask } = toRequest(path, good, { query: QUERIES[name] ?? "" });
    const { status, error } = refusalOf(await w.ask(method, at, { token: OWN_TOKEN, ...ask }));
    if (!IN_VAIN.includes(path))
      expect({ status: Math.floor(status / 100), error }).toEqual({ status: 2, error: undefined });
    await w.store.close();
  });
});
