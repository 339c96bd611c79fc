import { HEADER } from "@perdure/core/protocol";
import { evil, FUZZ_TIMEOUT, forAll, mutated } from "@perdure/test-support/fuzz";
import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import { APP, START, type World, world } from "../harness.ts";

const json = (value: unknown): string => JSON.stringify(value) ?? "";
const ascii = (value: unknown): string => json(value).replace(/[^\x20-\x7e]/g, "");

const RUN = "wfr_1";
const OF_RUN: Record<string, string> = {
  [HEADER.runId]: RUN,
  [HEADER.workflowUrl]: APP,
  [HEADER.sdkVersion]: "1",
};

const OF_LIVE = { ...OF_RUN, [HEADER.init]: "false" };

/** Every path of the API, with a name in each place for one. */
const PATHS = [
  ...["publish/https://a.test/", "publish/group", "enqueue/q/https://a.test/", "batch", "batch/trigger"],
  ...["trigger/https://a.test/", "messages/msg_1", "messages", "topics", "topics/t", "topics/t/endpoints"],
  ...["wait/e", "notify/e", `notify/${RUN}/e`, "waiters/e", "workflows/runs", `workflows/runs/${RUN}`],
  ...["workflows/events", "workflows/logs", "dlq", "dlq/retry", "dlq/retry/1-0", "dlq/1-0", "workflows/dlq"],
  ...[
    "workflows/dlq/resume",
    "workflows/dlq/restart",
    "workflows/dlq/resume/1-0",
    "workflows/dlq/callback/1-0",
  ],
  ...["queues", "queues/q", "queues/q/pause", "schedules", "schedules/https://a.test/", "schedules/scd_1"],
  ...["flowControl", "flowControl/k", "flowControl/k/pin", "globalParallelism", "events", "logs", "keys"],
  ...[`workflows/hooks/user/${RUN}/e`, "nothing"],
];

const OPTIONS = Object.values(HEADER).filter((name) => name.startsWith("Upstash-"));
const LIKELY = [
  "",
  "0",
  "-1",
  "3",
  "1e999",
  "10s",
  "1d",
  "* * * * *",
  "true",
  "a=1",
  "parallelism=1, rate=0",
  "GET",
  "%",
  "https://a.test/",
  "retried * 1000",
  "((",
  "wfr_1",
  "nan",
  "99999999999999999999",
  "104249991d",
  "parallelism=99999999999999999999",
];
const PARAMETERS = [
  "count",
  "cursor",
  "fromDate",
  "toDate",
  "filter",
  "messageIds",
  "dlqIds",
  "state",
  "label",
  "order",
  "workflowUrl",
  "workflowRunId",
  "cancel",
  "trimBody",
  "workflowRuns",
  "all",
  "qstash_token",
];

const value = fc.oneof(fc.constantFrom(...LIKELY), evil.map(ascii));
const headers = fc.dictionary(
  fc.oneof(
    fc.constantFrom(...OPTIONS),
    fc.constantFrom("Upstash-Callback-Retries", "Content-Length", "X-Forwarded-Host"),
    fc.constantFrom("Upstash-Forward-X", "Upstash-Forward-__proto__", "Upstash-Forward-Constructor"),
  ),
  value,
  { maxKeys: 4 },
);
const query = fc.array(fc.tuple(fc.constantFrom(...PARAMETERS), value), { maxLength: 3 });

/** A body of each kind that the API takes, and what it is sent to. */
const BODIES: readonly (readonly [path: string, headers: Record<string, string>, body: unknown])[] = [
  ["batch", {}, [{ destination: APP, headers: { ...OF_RUN, [HEADER.init]: "true" }, body: "{}" }]],
  [
    "batch",
    {},
    [
      {
        destination: APP,
        headers: OF_LIVE,
        body: json({ stepId: 1, stepName: "a", stepType: "Run", out: "1", concurrent: 1 }),
      },
    ],
  ],
  ["batch/trigger", {}, [{ destination: APP, body: "{}", headers: {} }]],
  [`publish/${APP}`, OF_LIVE, { stepId: 0, targetStep: 1, stepName: "a", stepType: "Run", concurrent: 2 }],
  [
    `publish/${APP}`,
    { ...OF_RUN, [HEADER.runId]: "wfr_child", [HEADER.init]: "true", [HEADER.invoke]: "true" },
    {
      body: "{}",
      headers: { A: ["b"] },
      workflowRunId: RUN,
      workflowRunCreatedAt: START,
      workflowUrl: APP,
      step: { stepId: 1, stepName: "a", stepType: "Invoke", concurrent: 1 },
    },
  ],
  [
    "wait/e",
    OF_RUN,
    {
      url: APP,
      timeout: "1d",
      timeoutUrl: APP,
      timeoutHeaders: { A: ["b"] },
      step: { stepId: 1, stepName: "a", stepType: "Wait", concurrent: 1 },
    },
  ],
  ["topics/t/endpoints", {}, { endpoints: [{ name: "a", url: "https://a.test/" }] }],
  ["queues", {}, { queueName: "q", parallelism: 2 }],
  ["schedules/https://a.test/", { [HEADER.cron]: "* * * * *" }, { a: 1 }],
  ["dlq/retry", {}, { dlqIds: ["1-0"] }],
  ["messages", {}, { messageIds: ["msg_1"] }],
];

let open: World[] = [];
afterEach(async () => {
  await Promise.all(open.map(({ engine }) => engine.stop({ deadline: 0 })));
  open = [];
});

/** An engine whose every fault is known. */
function engine(): { w: World; faults: unknown[] } {
  const faults: unknown[] = [];
  const w = world(undefined, {
    onEvent: (event) => {
      if (event.type === "fault") faults.push(event);
    },
  });
  open.push(w);
  return { w, faults };
}

async function expectHandled(
  { w, faults }: ReturnType<typeof engine>,
  method: string,
  path: string,
  given: object,
): Promise<void> {
  const { status } = await w.ask(method, `/v2/${path}`, given);
  expect([status < 500, faults]).toEqual([true, []]);
}

/** Nothing may have been stored that can't be shown, or that can't be told to a callback. */
async function expectReadable({ w, faults }: ReturnType<typeof engine>): Promise<void> {
  await w.engine.idle();
  for (const list of [
    "logs?count=1000",
    "dlq",
    "queues",
    "schedules",
    "topics",
    "flowControl",
    "workflows/logs",
  ]) {
    const { status } = await w.ask("GET", `/v2/${list}`);
    expect([list, status, faults]).toEqual([list, 200, []]);
  }
}

describe("the API never answers with a 500, and never has a fault, for", () => {
  it(
    "options in headers and parameters",
    async () => {
      const it = engine();
      const asked = fc.record({
        method: fc.constantFrom("GET", "POST", "PATCH", "DELETE"),
        path: fc.constantFrom(...PATHS),
        headers,
        query,
        body: fc.option(evil),
      });
      await forAll(asked, async ({ method, path, headers, query, body }) => {
        const search = new URLSearchParams(query);
        await expectHandled(it, method, `${path}?${search}`, {
          headers,
          ...(body === null || method === "GET" ? {} : { body: json(body) }),
        });
      });
      await expectReadable(it);
    },
    FUZZ_TIMEOUT,
  );

  it(
    "bodies",
    async () => {
      const it = engine();
      // Alive as long as it takes: its one step sleeps.
      await it.w.start(RUN, { [HEADER.delay]: "1d" });
      const asked = fc
        .constantFrom(...BODIES)
        .chain(([path, headers, body]) =>
          fc.tuple(fc.constant({ path, headers }), mutated(body), fc.constantFrom("POST", "DELETE")),
        );
      await forAll(asked, async ([{ path, headers }, body, method]) => {
        await expectHandled(it, method, path, { headers, body: json(body) });
        // What was taken is delivered, too.
        await it.w.engine.idle();
        expect(it.faults).toEqual([]);
      });
      await expectReadable(it);
    },
    FUZZ_TIMEOUT,
  );

  it(
    "bytes and paths",
    async () => {
      const it = engine();
      const path = fc
        .tuple(fc.constantFrom(...PATHS), fc.webPath())
        .map(([known, more]) => `${known}${more}`);
      const asked = fc.tuple(
        fc.constantFrom("POST", "DELETE", "PATCH"),
        path,
        fc.uint8Array({ maxLength: 100 }),
      );
      await forAll(asked, ([method, path, body]) => expectHandled(it, method, path, { body }));
    },
    FUZZ_TIMEOUT,
  );
});

it(
  "nobody gets in by what isn't quite the token",
  async () => {
    const { w } = engine();
    const tokens = fc.oneof(
      fc.string({ unit: "grapheme-ascii" }),
      fc.constantFrom("", " ", "undefined", "null"),
    );
    await forAll(tokens, async (token) => {
      const given = { token, headers: { Authorization: `Bearer ${token.trim()}` } };
      expect((await w.ask("GET", "/v2/dlq", given)).status).toBe(401);
      expect(
        (await w.ask("GET", `/v2/dlq?qstash_token=${encodeURIComponent(token)}`, { token: null })).status,
      ).toBe(401);
    });
  },
  FUZZ_TIMEOUT,
);
