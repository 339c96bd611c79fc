import { base64, failureHeaders, KEYS, RUN, runHeaders, sign } from "@perdure/test-support/delivery";
import { callHeaders, genuine, KINDS, signedBy } from "@perdure/test-support/forgeries";
import { anyText, evil, FUZZ_TIMEOUT, forAll, mutated } from "@perdure/test-support/fuzz";
import fc from "fast-check";
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { createWorkflow, type Handler, serveMany, type WorkflowContext } from "../src/index.ts";
import { DEV_CREDENTIALS, HEADER } from "../src/protocol/index.ts";
import { closed, useRecorder } from "./support/fixture.ts";

const recorder = useRecorder();
const URL = "https://app.example.com/many/wf";

beforeAll(() => {
  // Two seconds pass for a history that doesn't fit the workflow.
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  vi.setTimerTickMode("nextTimerAsync");
  for (const level of ["warn", "error"] as const) vi.spyOn(console, level).mockImplementation(() => {});
});
beforeEach(() => {
  // A body that isn't there is one that was too large.
  recorder().answer = ({ method }) => (method === "GET" ? { status: 404 } : undefined);
});
afterAll(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const rollback = () => {};
const child = createWorkflow(() => 1);

/** A step of each kind, alone and in a group. It never throws by itself. */
async function workflow(context: WorkflowContext<unknown>): Promise<unknown> {
  await context.run("one", () => 1, { rollback });
  await context.run("two", () => 2, { onExhausted: "throw" }).catch(String);
  await Promise.all([context.run("left", () => "l", { rollback }), context.run("right", () => "r")]);
  await context.sleep("nap", 1);
  const answer = await context.call("ask", { url: "https://third.example/", rollback });
  const event = await context.waitForEvent("event", "order-1", { timeout: 5 });
  const webhook = await context.createWebhook("hook");
  const hit = await context.waitForWebhook("hit", { webhookUrl: "", eventId: "evt_1" }, "1m");
  const told = await context.notify("tell", "order-1", {}, undefined, { rollback });
  const invoked = await context.invoke("child", { workflow: child, body: 1, rollback });
  return { answer: answer.status, event, webhook, hit: hit.timeout, told, invoked };
}

/** One record of each kind: `out` as it is before it is encoded. */
const RECORDS = [
  { stepId: 1, stepName: "one", stepType: "Run", out: 1, concurrent: 1, rollback: true },
  {
    ...{ stepId: 2, stepName: "two", stepType: "Run", concurrent: 1 },
    failure: { attempts: 2, error: { error: "TypeError", message: "x", cause: { message: "y" } } },
  },
  { stepId: 0, stepName: "left", stepType: "Run", concurrent: 2, targetStep: 3 },
  { stepId: 0, stepName: "right", stepType: "Run", concurrent: 2, targetStep: 4 },
  { stepId: 3, stepName: "left", stepType: "Run", out: "l", concurrent: 2, rollback: true },
  { stepId: 4, stepName: "right", stepType: "Run", out: "r", concurrent: 2 },
  { stepId: 5, stepName: "nap", stepType: "SleepFor", sleepFor: 1, concurrent: 1 },
  {
    ...{ stepId: 6, stepName: "ask", stepType: "Call", concurrent: 1, rollback: true },
    out: { status: 200, header: { "Content-Type": ["text/plain; charset=x"] }, body: "é" },
  },
  { stepId: 7, stepName: "event", stepType: "Wait", out: { a: 1 }, waitEventId: "order-1", concurrent: 1 },
  { stepId: 8, stepName: "hook", stepType: "CreateWebhook", out: { eventId: "evt_1" }, concurrent: 1 },
  {
    ...{ stepId: 9, stepName: "hit", stepType: "WaitForWebhook", concurrent: 1 },
    out: {
      method: "POST",
      header: { A: ["b"] },
      body: "YQ==",
      proto: "https",
      host: "a.example",
      url: "/x?y",
    },
  },
  { stepId: 10, stepName: "tell", stepType: "Notify", out: { notifyResponse: [] }, concurrent: 1 },
  { stepId: 11, stepName: "child", stepType: "Invoke", out: { body: "1", isFailed: false }, concurrent: 1 },
];

const ENTRIES = [{ body: { a: 1 } }, ...RECORDS.map((body) => ({ body }))].map((entry, at) => ({
  messageId: `msg_${at}`,
  callType: "step",
  ...entry,
}));

/** Of each length, so that each of its records is the delivered one at times. */
const histories = fc
  .integer({ min: 1, max: ENTRIES.length })
  .chain((length) => mutated(ENTRIES.slice(0, length)))
  .map(encodedHistory);

function encodedHistory(entries: unknown): unknown {
  if (!Array.isArray(entries)) return entries;
  return entries.map((entry, at) =>
    isObject(entry) && isObject(entry.body)
      ? { ...entry, body: base64(JSON.stringify(at === 0 ? entry.body : encodedRecord(entry.body))) }
      : entry,
  );
}

function encodedRecord({ out, ...record }: Record<string, unknown>): unknown {
  if (out === undefined) return record;
  const json = JSON.stringify(out);
  return {
    ...record,
    out: record.stepType === "Wait" || record.stepType === "WaitForWebhook" ? base64(json) : json,
  };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

const DETAILS = {
  history: ENTRIES,
  started: [3, 4],
  rollbacks: [
    { stepId: 6, stepName: "ask", stepType: "Call", state: "done", attempts: 1 },
    ...[
      {
        stepId: 4,
        stepName: "right",
        stepType: "Run",
        state: "failed",
        attempts: 2,
        error: { message: "z" },
      },
    ],
  ],
};

const FAILURE = {
  ...{ status: 500, header: { A: ["b"] }, retried: 3, maxRetries: 3, sourceMessageId: "msg_1", url: URL },
  body: { error: "TypeError", message: "boom", stack: "at x", cause: { message: "deeper" }, where: "step" },
  ...{ sourceBody: { a: 1 }, workflowRunId: RUN, workflowCreatedAt: 1_700_000_000_000, dlqId: "1-0" },
  perdure: DETAILS,
};

const failures = mutated(FAILURE).map((failure) => {
  if (!isObject(failure)) return failure;
  const { body, sourceBody, perdure, ...others } = failure;
  const details = isObject(perdure) ? { ...perdure, history: encodedHistory(perdure.history) } : perdure;
  return {
    ...others,
    ...inBase64({ body, sourceBody }),
    ...(details === undefined ? {} : { perdure: details }),
  };
});

/** What is a text isn't encoded again: it may be no base64. */
function inBase64(values: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => [
      name,
      isObject(value) ? base64(JSON.stringify(value)) : value,
    ]),
  );
}

function endpoint(): Handler {
  const seen = (params: object) => JSON.stringify(Object.keys(params));
  const many = { wf: createWorkflow(workflow), child };
  return serveMany(many, {
    env: { PERDURE_URL: recorder().url, PERDURE_TOKEN: DEV_CREDENTIALS.token },
    verify: "off",
    trustProxy: true,
    failureFunction: seen,
    cancelFunction: seen,
    rollbackOnCancel: true,
  }).handler;
}

/** Answered as ours, and never as if it were our fault. */
async function expectHandled(
  handler: Handler,
  body: BodyInit,
  headers: Record<string, string>,
): Promise<void> {
  const response = await handler(new Request(URL, { method: "POST", headers, body }));
  const answer = JSON.parse(await response.text());
  // A history of another workflow is no bad input but a changed workflow.
  if (response.status === 500) expect(answer).toMatchObject({ where: "replay" });
  else expect([200, 400, 401, 413, 489]).toContain(response.status);
  if (response.status >= 400)
    expect(answer).toMatchObject({ error: expect.any(String), message: expect.any(String) });
}

const json = (value: unknown) => JSON.stringify(value) ?? "";

describe("never a 500, a hang or an unhandled rejection for", () => {
  const holds = <Value>(
    name: string,
    arbitrary: fc.Arbitrary<Value>,
    check: (value: Value) => Promise<void>,
  ) => it(name, () => forAll(arbitrary, check), FUZZ_TIMEOUT);

  const OURS = { "Perdure-Max-Retries": "3" };
  holds("a history", histories, (history) => expectHandled(endpoint(), json(history), runHeaders(OURS)));
  holds("a history that is fetched", histories, async (history) => {
    recorder().answer = ({ method }) => (method === "GET" ? { body: history ?? null } : undefined);
    const response = await endpoint()(
      new Request(URL, { method: "POST", headers: runHeaders({ "Upstash-Message-Id": "msg_3" }) }),
    );
    // That the engine is at fault is worth another attempt.
    expect([200, 400, 489, 500]).toContain(response.status);
  });
  holds("a failure", failures, (failure) => expectHandled(endpoint(), json(failure), failureHeaders(OURS)));
  holds("a cancellation", failures, (failure) =>
    expectHandled(endpoint(), json(failure), {
      ...OURS,
      "Upstash-Workflow-RunId": RUN,
      "Upstash-Workflow-CallType": "cancelCall",
    }),
  );
  holds(
    "the answer to a call",
    mutated({
      status: 489,
      header: { "Upstash-NonRetryable-Error": ["true"] },
      body: "YQ==",
      retried: 1,
      maxRetries: 2,
    }),
    (answer) => expectHandled(endpoint(), json(answer), callHeaders()),
  );

  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    anyText.map(Buffer.from),
    evil.map((value) => Buffer.from(json(value))),
  );
  const headersOf = (kind: (typeof KINDS)[number]) => genuine(kind, URL, { a: 1 }).headers;
  holds("a body", fc.tuple(fc.constantFrom(...KINDS), bytes), ([kind, body]) =>
    expectHandled(endpoint(), body as Uint8Array<ArrayBuffer>, { ...headersOf(kind), ...OURS }),
  );

  const value = fc
    .oneof(
      fc.string({ unit: fc.integer({ min: 0x20, max: 0xff }).map((code) => String.fromCharCode(code)) }),
      fc.constantFrom(
        "true",
        "1",
        "0",
        "-1",
        "1, 1",
        "NaN",
        "1e999",
        "wfr_test",
        "cancelCall",
        "2",
        "%",
        "%zz",
        "__proto__",
      ),
      fc.constantFrom("a:99999", "[::::]", "1.2.3.4.5", "xn--", "https", "a..b"),
      evil.map((given) => json(given).replace(/[^\x20-\x7e]/g, "")),
    )
    .filter((text) => !/[\x7f-\x9f]/.test(text));
  const names = [...Object.values(HEADER), "X-Forwarded-Host", "X-Forwarded-Proto", "Content-Length"];
  holds(
    "headers",
    fc.tuple(fc.constantFrom(...KINDS), fc.dictionary(fc.constantFrom(...names), value, { maxKeys: 4 })),
    ([kind, headers]) =>
      expectHandled(endpoint(), genuine(kind, URL, { a: 1 }).body, { ...headersOf(kind), ...headers }),
  );

  const options = {
    retries: 1,
    retryDelay: "1",
    failureRetries: 1,
    failureRetryDelay: "1",
    timeout: "5m",
    label: ["a"],
  };
  const flowControl = { key: "k", rate: 1, parallelism: 1, period: "1m" };
  holds("options of a run to come", mutated({ ...options, flowControl, failureUrl: URL }), async (given) =>
    expectHandled(closed(recorder(), workflow), "{}", {
      "Perdure-Run-Options": json(given).replace(/[^\x20-\x7e]/g, "?"),
      "Upstash-Signature": await sign("{}"),
    }),
  );
});

describe("a token", () => {
  const delivery = genuine("resume", URL, {});
  const CLAIMS = {
    iss: "Upstash",
    sub: URL,
    exp: 4e9,
    nbf: 0,
    jti: "jwt_1",
    body: "x",
    perdure: { kind: "resume" },
  };
  const NONE = Object.fromEntries(Object.keys(CLAIMS).map((name) => [name, undefined]));
  const attempts = fc.record({
    said: mutated(CLAIMS),
    text: fc.string({ unit: "grapheme-ascii" }),
    garbled: fc.boolean(),
  });

  it(
    "that isn't quite right lets nobody in, whatever else it says",
    async () => {
      vi.useRealTimers();
      let ran = 0;
      const { handler } = serveMany({ wf: createWorkflow(() => void ran++) }, { env: {}, keys: KEYS });
      await forAll(attempts, async ({ said, text, garbled }) => {
        const claims = { ...NONE, ...(isObject(said) ? said : {}) };
        const { url, body, headers } = await signedBy(delivery, { claims });
        const token = garbled ? { "Upstash-Signature": text.trim() } : {};
        const sent = new Headers({ ...(headers as Record<string, string>), ...token });
        expect((await handler(new Request(url, { method: "POST", body, headers: sent }))).status).toBe(401);
        expect(ran).toBe(0);
      });
    },
    FUZZ_TIMEOUT,
  );
});
